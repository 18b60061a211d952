//! The binary as whoever runs it sees it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod build;
mod coverage;
mod doctor;
mod envs;
mod init;
mod kubernetes;
mod origin;
mod project;
mod registry;
mod runs;
mod version;
