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
mod manifest;
mod metrics;
mod process;
pub mod rds;
mod restore;
mod verify;

pub use create::create;
pub use error::BackupError;
pub use folder::Folder;
pub use manifest::{Backup, Manifest, Table};
pub use restore::{Restored, restore};
pub use verify::verify;

/// How far the work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Tables of which the work has begun.
    pub tables: usize,
    /// All of them.
    pub of: usize,
}
