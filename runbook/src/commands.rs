//! The commands, one a file. Each settles what it was asked, looks, and tells.

pub(crate) mod approve;
pub(crate) mod attach;
pub(crate) mod build;
pub(crate) mod change;
pub(crate) mod doctor;
pub(crate) mod envs;
pub(crate) mod init;
pub(crate) mod lock;
pub(crate) mod runs;
pub(crate) mod show;
pub(crate) mod verify;
pub(crate) mod version;

use crate::exit::Exit;
use std::io;

/// Completions for a shell.
pub(crate) fn completions(shell: clap_complete::Shell, command: &mut clap::Command) -> Exit {
    clap_complete::generate(shell, command, "runbook", &mut io::stdout());
    Exit::Done
}
