//! How the program ends, for whoever called it.

use std::process::ExitCode;

/// The exit codes. Their numbers never change: pipelines decide by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// Failed, and nothing was changed.
    Failed = 1,
    /// Refused: the state of things forbids it.
    Refused = 2,
    /// Failed, and what was changed was rolled back.
    RolledBack = 3,
    /// A person has to do something first.
    NeedsPerson = 4,
    /// It is so already.
    NothingToDo = 5,
    /// Failed, something was changed, and it was not rolled back.
    Changed = 6,
    /// The way back failed.
    RollbackFailed = 7,
    /// The words on the command line make no request (`EX_USAGE` of sysexits.h).
    Usage = 64,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
