//! The deployment runbook as one program (`docs/runbooks/deployment.md`): a heading of it is a command, a code block is
//! a step, and each step shows the literal command that it stands for.
//!
//! One way through: `cli` (words) → `place` (where, and for whom) → a command of `commands`, which looks and tells.
//! `programs` runs the document's own prerequisites, one wrapper each; `page` lays out what people read.

mod cli;
mod commands;
mod doctor;
mod exit;
mod failure;
mod home;
mod page;
mod place;
mod programs;
mod redact;
mod screen;
mod time;

pub use cli::main;
