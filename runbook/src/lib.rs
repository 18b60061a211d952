//! The deployment runbook as one program (`docs/runbooks/deployment.md`): a heading of it is a command, a code block is
//! a step, and each step shows the literal command that it stands for.
//!
//! One way through: `cli` (words) → `request` (nothing left to interpret) → `observe` (looks, never changes) → `plan`
//! (pure) → `report` (shows) → `execute` (does a plan, never chooses) in a world: `live`, or `images` for a build.
//! `programs` runs the document's own prerequisites, one wrapper each; `page` lays out what people read.

mod cli;
mod cluster;
mod commands;
mod doctor;
mod execute;
mod exit;
mod failure;
mod home;
mod images;
mod journal;
mod live;
mod lock;
mod memory;
mod observe;
mod page;
mod place;
mod plan;
mod programs;
mod redact;
mod release;
mod report;
mod request;
mod run;
mod screen;
mod secret;
mod stored;
mod table;
mod time;

pub use cli::main;
