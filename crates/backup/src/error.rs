//! Why there is no backup, or no restored database.

use std::{io, path::PathBuf};

/// What went wrong; each says what to do where that is not plain.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database does not let us in.
    #[error(transparent)]
    Connect(#[from] migrate::ConnectError),
    /// A statement failed.
    #[error("the database refused: {}", described(.0))]
    Sql(#[from] tokio_postgres::Error),
    /// The URL cannot be used.
    #[error("DATABASE_URL is no URL as in postgresql://admin_user@host/api_platform")]
    NoUrl,
    /// A file or folder.
    #[error("{0}: {1}")]
    File(PathBuf, #[source] io::Error),
    /// A program is not there.
    #[error("{0} cannot be started: {1}")]
    NoProgram(&'static str, #[source] io::Error),
    /// A program ended with an error, in its own words.
    #[error("{program} failed: {said}")]
    Program {
        /// Its name.
        program: &'static str,
        /// The end of what it said.
        said: String,
    },
    /// A manifest is not ours.
    #[error("{0} is no manifest of a backup: {1}")]
    Manifest(PathBuf, #[source] serde_json::Error),
    /// Another process has the folder.
    #[error("another backup is being made in {0}, or its pg_dump has not ended: try again when it has")]
    Busy(PathBuf),
    /// There is no such backup.
    #[error("there is no backup {0}: `platform backup list` shows those that are there")]
    Unknown(String),
    /// There is none at all.
    #[error("there is no backup in {0}")]
    None(PathBuf),
    /// Files are not what they were.
    #[error("the backup is damaged: {0} is not what was written; take another one")]
    Damaged(String),
    /// The restored tables are not those of the backup.
    #[error("the restored tables differ from the backup: {0}")]
    Differs(String),
    /// Somebody uses the database.
    #[error("the database is in use by {0}: stop the services, and what else is connected, first")]
    InUse(String),
    /// There are tables in it.
    #[error("the database is not empty ({0} tables): `--replace` drops what is in it first")]
    NotEmpty(i64),
    /// The old database is the new one.
    #[error("--old names the database of DATABASE_URL: leave it out; with --replace it is read before it is emptied")]
    OldIsNew,
    /// Services still write into the database that is given up.
    #[error("the old database is in use by the services ({0} sessions): stop them first, or what they write is lost")]
    OldInUse(i64),
    /// No server to verify on.
    #[error("there is no server to restore into: {0}. Install PostgreSQL here, or name one with --server")]
    NoServer(String),
    /// Nothing to make an instance of.
    #[error("{0} cannot be had as it was at that moment, and no snapshot is older: `platform backup list --rds {0}`")]
    NoSnapshot(String),
    /// AWS refused, or went on failing.
    #[error("aws {call} failed: {said}")]
    Aws {
        /// As in `rds create-db-snapshot`.
        call: String,
        /// In its words.
        said: String,
    },
}

impl BackupError {
    /// For `map_err` on files.
    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |error| Self::File(path, error)
    }
}

fn described(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |db| db.message().to_owned())
}
