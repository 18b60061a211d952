//! The binary as whoever runs it sees it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod build;
mod coverage;
mod deploy;
mod doctor;
mod envs;
mod init;
mod kubernetes;
mod newcomer;
mod origin;
mod project;
mod registry;
mod runs;
#[path = "../../src/cluster/stand_in.rs"]
#[expect(dead_code, reason = "here nothing goes wrong between the cluster and the binary")]
mod stand_in;
mod version;
