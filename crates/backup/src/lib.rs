//! Backups of a database: made, listed, verified by a restore into a scratch database, and restored (runbook, Step 3.4
//! and rollback, option 3).
//!
//! A backup is a folder: what `pg_dump` wrote, and a manifest with the counts and checksums of all tables in the very
//! snapshot that was dumped. It gets its name when it is whole; what was cut off never has one.

mod create;
mod database;
mod error;
mod fingerprint;
mod folder;
mod log;
mod loss;
mod manifest;
mod metrics;
mod old;
mod process;
pub mod rds;
mod restore;
pub mod revocations;
mod settle;
mod swap;
mod verify;

pub use create::create;
pub use error::BackupError;
pub use folder::Folder;
pub use log::Log;
pub use loss::{Loss, Rows};
pub use manifest::{Backup, Manifest, Table};
pub use old::Old;
pub use restore::{How, restore};
pub use settle::Restored;
pub use swap::Swap;
pub use verify::verify;

/// How far the work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Tables of which the work has begun.
    pub tables: usize,
    /// All of them.
    pub of: usize,
}

/// What happens while a database is restored.
#[derive(Debug, Clone, Copy)]
pub enum Told<'a> {
    /// What becomes of the database that is given up; what is said of it holds also when the restore then fails.
    Old(&'a Old),
    /// What will be lost, before anything is.
    Loss(&'a Loss),
    /// How far it is.
    Tables(Progress),
    /// The old instance cannot be had as it was at a moment; this snapshot is the last one before.
    Snapshot(&'a rds::Snapshot),
    /// A new instance is on its way.
    Instance {
        /// Its id, by which another run can go on.
        id: &'a str,
        /// `creating`, `backing-up`, …
        status: &'a str,
        /// For how long we wait, in seconds.
        seconds: u64,
    },
}
