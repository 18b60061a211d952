//! The commands, one a file. Each settles what it was asked, looks, and tells.

pub(crate) mod doctor;
pub(crate) mod envs;
pub(crate) mod init;

use crate::exit::Exit;
use std::io;

/// Completions for a shell.
pub(crate) fn completions(shell: clap_complete::Shell, command: &mut clap::Command) -> Exit {
    clap_complete::generate(shell, command, "runbook", &mut io::stdout());
    Exit::Done
}
