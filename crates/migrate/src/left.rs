//! What a file that failed leaves behind, and what to do about it.

use std::fmt;
use tokio_postgres::{Error, error::SqlState};

/// What is there of a file that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// So many of its statements are done and stay; none of a file in one transaction.
    pub done: usize,
    /// The server's disk is full.
    pub disk_full: bool,
}

impl Left {
    pub(crate) fn by(error: &Error, done: usize) -> Self {
        Self { done, disk_full: error.code() == Some(&SqlState::DISK_FULL) }
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.done {
            0 => f.write_str("nothing of this file was applied")?,
            1 => f.write_str("1 of its statements is done, and the next `up` goes on behind it")?,
            done => write!(f, "{done} of its statements are done, and the next `up` goes on behind them")?,
        }
        f.write_str(if self.disk_full { ": make room, and start `up` again" } else { "" })
    }
}
