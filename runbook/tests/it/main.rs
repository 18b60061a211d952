//! The binary as whoever runs it sees it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod doctor;
mod envs;
mod init;
mod kubernetes;
mod project;
