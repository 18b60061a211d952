//! Why a migration stops.

use crate::{Behind, Fence, connect, lag::UNSEEN, left::Left, place::Place, session::LOCK_WAIT};
use semver::Version;
use tokio_postgres::Error;

/// Why nothing, or nothing more, was applied; what was applied before stays.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// The roles do not exist.
    #[error(
        "the database has no role {0}: make the roles first, with `platform migrate roles` as a login that may create roles"
    )]
    NoRole(String),
    /// Files and database disagree.
    #[error(
        "{0}: an applied file must stay as it is; restore it, and write a new file for what has to change; or accept it with `platform migrate repair`"
    )]
    Drift(String),
    /// A pending file sorts before an applied one.
    #[error("{pending} is pending but {applied} is applied already: give the pending file a later date")]
    OutOfOrder {
        /// Not applied.
        pending: String,
        /// Applied, and later.
        applied: String,
    },
    /// An image that runs could not run any more.
    #[error(
        "{file} needs images of {oldest} or newer, but {service} {version} was seen within two minutes: deploy first, then migrate"
    )]
    TooOld {
        /// The file.
        file: String,
        /// Its `oldest-app`.
        oldest: Version,
        /// Which service runs an older one.
        service: String,
        /// Which version.
        version: String,
    },
    /// A standby did not catch up in time.
    #[error("{file} writes a table anew, and {behind} after {}s of waiting; nothing of this file was applied", LOCK_WAIT.as_secs())]
    Behind {
        /// The file.
        file: String,
        /// The standby.
        behind: Behind,
    },
    /// There are standbys that nobody can watch.
    #[error("{0} writes a table anew, but {UNSEEN}; nothing of this file was applied")]
    UnseenLag(String),
    /// Rows are still as they were.
    #[error(
        "{file} needs the backfill {backfill}, which is not done: `platform migrate backfill start {backfill}`, then `up` again"
    )]
    BackfillFirst {
        /// The file.
        file: String,
        /// What it needs.
        backfill: String,
    },
    /// Another migrator did not finish in time.
    #[error("another migrator holds the lock since {}s (process {pid} of the database); nothing was applied", LOCK_WAIT.as_secs())]
    Locked {
        /// Its server process.
        pid: i32,
    },
    /// Somebody holds a newer token.
    #[error(
        "this run lost the lock of {}: its token is {}, the newest in the database is {known}; nothing more was applied. `runbook lock status` says who runs now; if its Lease was made anew, and counts from the start, delete the row in _migration_fence",
        fence.environment, fence.token
    )]
    Fenced {
        /// This run's.
        fence: Fence,
        /// The newest, who brought it and when; `none` when somebody has deleted it.
        known: String,
    },
    /// The holder before does not end.
    #[error(
        "a migration under an older lock of {environment} still runs after {}s, by {by}: wait for it, or end it with `SELECT pg_terminate_backend(PID)`",
        LOCK_WAIT.as_secs()
    )]
    FenceHeld {
        /// Whose lock it is.
        environment: String,
        /// Its session, as far as it can be seen.
        by: String,
    },
    /// A file would leave the transaction that it shares with its record; nothing was applied.
    #[error(
        "{file}:{}:{}: a file runs in one transaction with its record, and may neither end it nor begin another\n{place}\nnothing was applied",
        place.line, place.column
    )]
    TransactionControl {
        /// The file.
        file: String,
        /// The statement.
        place: Place,
    },
    /// A statement of a file failed.
    #[error("{file}{}\n{left}", failure(place.as_ref(), message))]
    Statement {
        /// The file.
        file: String,
        /// What the server points at, or where the statement begins; none when neither is known.
        place: Option<Place>,
        /// The server's words.
        message: String,
        /// What is there of the file.
        left: Left,
    },
    /// Of a file without a transaction statements were done that are others now.
    #[error(
        "{file} was begun with another text: {done} of its statements are done, the next one perhaps, and they are others now; \
         restore their text, and change only what comes after them, or write a new file"
    )]
    BegunOtherwise {
        /// The file.
        file: String,
        /// How many of its statements are done.
        done: usize,
    },
    /// An index without a name could not be found again after a kill.
    #[error("{file}:{}:{}: an index made CONCURRENTLY needs a name, so that a killed run can go on\n{place}", place.line, place.column)]
    Unnamed {
        /// The file.
        file: String,
        /// The statement.
        place: Place,
    },
    /// Only the newest file can be undone.
    #[error("{asked} is not the newest applied file, which is {newest}: undo that first")]
    NotNewest {
        /// What was named.
        asked: String,
        /// The newest.
        newest: String,
    },
    /// Nothing undoes the file.
    #[error("{0} has no .down.sql: write a new file that changes what has to change, or restore a backup")]
    NoDown(String),
    /// The proof failed: the file is not undone by what should undo it.
    #[error(
        "the .down.sql of {file} does not lead back to what was before, as a trial on an empty database shows:\n{difference}\nnothing was undone: write a new file that changes what has to change; or take and verify a backup, and say --backup ID"
    )]
    Unproven {
        /// The file.
        file: String,
        /// What is not as it was, or why it could not be tried.
        difference: String,
    },
    /// There is nowhere to prove it.
    #[error(
        "{file} is undone only where a trial proves that it can be, and there is none: {why}. Name an empty database of the same version with --scratch URL, or a verified backup with --backup ID; or write a new file that changes what has to change"
    )]
    NoProof {
        /// The file.
        file: String,
        /// Why not.
        why: String,
    },
    /// Undoing the file would lose rows.
    #[error("undoing {file} would lose what {lost} hold: take a backup, then say --lose-rows; nothing was undone")]
    LosesRows {
        /// The file.
        file: String,
        /// Columns that hold values.
        lost: String,
    },
    /// A repair without a reason.
    #[error("a repair is recorded with its reason: say it in some words")]
    NoReason,
    /// A repair of what is in order.
    #[error("{0} is neither changed nor missing: there is nothing to repair")]
    NothingToRepair(String),
    /// The scratch database is not empty.
    #[error("the scratch database is not empty, it has {0}: name an empty one")]
    NotEmpty(String),
    /// Anything else the server said.
    #[error("{}", connect::described(.0))]
    Database(#[from] Error),
}

fn failure(place: Option<&Place>, message: &str) -> String {
    place
        .map_or_else(|| format!(": {message}"), |place| format!(":{}:{}: {message}\n{place}", place.line, place.column))
}
