//! Why a backfill stops.

use crate::connect;
use tokio_postgres::Error;

/// Why no more rows are brought up to date; what was committed stays.
#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    /// No such file.
    #[error("there is no backfill {name}; known are: {known}")]
    Unknown {
        /// What was named.
        name: String,
        /// What there is.
        known: String,
    },
    /// Somebody is at it, with this one or another.
    #[error("a backfill runs already, and one at a time is enough: {0}")]
    Busy(String),
    /// It was paused.
    #[error("{name} was paused by {by}: `platform migrate backfill resume {name}` goes on")]
    Paused {
        /// Which.
        name: String,
        /// Whose login.
        by: String,
    },
    /// The file has another text than when it began.
    #[error("{0} was begun with another text, and some of its rows are done: restore that text, or write a new file")]
    BegunOtherwise(String),
    /// It has nothing that could be paused.
    #[error("{name} cannot be paused: it is {state}")]
    NotPausable {
        /// Which.
        name: String,
        /// Where it stands.
        state: String,
    },
    /// Rows could be left out, or come twice.
    #[error("{table} has no unique index on ({key}), in this order and without NULLs: name a key that has one")]
    Key {
        /// The table.
        table: String,
        /// What the file names.
        key: String,
    },
    /// There are standbys that nobody can watch.
    #[error("{}", crate::lag::UNSEEN)]
    UnseenLag,
    /// Metrics cannot be asked for.
    #[error("--metrics {0} cannot be used: {1}")]
    Metrics(String, String),
    /// Anything else the server said.
    #[error("{}", connect::described(.0))]
    Database(#[from] Error),
}
