//! The database whose place a restored one takes: read, set read-only and kept, or read before it is emptied.

use crate::{BackupError, database::Database, fingerprint, log::Log, loss::Facts, revocations};
use migrate::Client;
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What became of the database that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Old {
    /// It was read, and is kept.
    Kept {
        /// Why it could not be set read-only; none: it is.
        writable: Option<String>,
    },
    /// It was read, and then emptied to take the backup.
    Replaced,
    /// It could not be read: what was revoked since the backup is valid again.
    Unreadable {
        /// Why.
        why: String,
    },
    /// There is none, or nobody named it: what was revoked since the backup is valid again.
    NotNamed,
}

/// What was read of it, in a folder until the restore is over.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) folder: PathBuf,
    pub(crate) facts: Facts,
}

const FACTS: &str = "facts.json";

/// A session of the login of the services.
const SERVICES: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'api_platform_app'";

/// Which database this is: a restored instance has the same name and number, and another start.
const IDENTITY: &str = "SELECT oid::text, pg_postmaster_start_time()::text, current_setting('port')
    FROM pg_database WHERE datname = current_database()";

/// Sets it read-only and reads it. Refused while services write into it; whatever else goes wrong is a reason to go on
/// without it.
pub(crate) async fn give_up(
    url: &str,
    new: &Client,
    folder: &Path,
    log: Option<&Log>,
) -> Result<(Old, Option<Known>), BackupError> {
    let connected = async { Database::parse(url)?.connect().await }.await;
    let old = match connected {
        Ok(old) => old,
        Err(error) => return Ok((Old::Unreadable { why: error.to_string() }, None)),
    };
    if identity(&old).await? == identity(new).await? {
        return Err(BackupError::OldIsNew);
    }
    refuse_while_served(&old).await?;
    let name: String = old.query_one("SELECT quote_ident(current_database())", &[]).await?.get(0);
    // It is so already when an earlier run came this far; then it could not be said again.
    old.batch_execute("SET default_transaction_read_only = off").await?;
    let set = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    let writable = old.batch_execute(&set).await.err().map(|error| BackupError::from(error).to_string());
    // Whoever came in between still writes.
    refuse_while_served(&old).await?;
    Ok(match keep(&old, folder, log).await {
        Ok(known) => (Old::Kept { writable }, Some(known)),
        Err(error) => (Old::Unreadable { why: error.to_string() }, None),
    })
}

async fn refuse_while_served(old: &Client) -> Result<(), BackupError> {
    match old.query_one(SERVICES, &[]).await?.get(0) {
        0 => Ok(()),
        sessions => Err(BackupError::OldInUse(sessions)),
    }
}

async fn identity(client: &Client) -> Result<[String; 3], BackupError> {
    let row = client.query_one(IDENTITY, &[]).await?;
    Ok([row.get(0), row.get(1), row.get(2)])
}

/// Of the database that is about to be emptied. An earlier run may have emptied it already, and left what it read.
pub(crate) async fn before_emptied(
    client: &Client,
    folder: &Path,
    log: Option<&Log>,
) -> Result<(Old, Option<Known>), BackupError> {
    let tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')";
    let is_empty = client.query_one(tables, &[]).await?.get::<_, i64>(0) == 0;
    let is_whole = client.query_one("SELECT to_regclass('public._migrations') IS NOT NULL", &[]).await?.get(0);
    if is_whole {
        return Ok(match keep(client, folder, log).await {
            Ok(known) => (Old::Replaced, Some(known)),
            Err(error) => {
                client.batch_execute("ROLLBACK").await?;
                (Old::Unreadable { why: error.to_string() }, None)
            }
        });
    }
    let facts = fs::read_to_string(folder.join(FACTS)).ok().and_then(|text| serde_json::from_str(&text).ok());
    Ok(match facts {
        Some(facts) => (Old::Replaced, Some(Known { folder: folder.to_owned(), facts })),
        None if is_empty => (Old::NotNamed, None),
        None => {
            let why = "it has no list of applied migrations: it is half restored, or not ours".to_owned();
            (Old::Unreadable { why }, None)
        }
    })
}

/// Reads one snapshot into the folder, which has its name when it is whole.
async fn keep(old: &Client, folder: &Path, log: Option<&Log>) -> Result<Known, BackupError> {
    let half = folder.with_extension("part");
    revocations::make_folder(&half).await?;
    old.batch_execute(fingerprint::SETTINGS).await?;
    old.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let facts = Facts::of(old, log).await?;
    revocations::keep(old, &half).await?;
    old.batch_execute("COMMIT").await?;
    let path = half.join(FACTS);
    let text = serde_json::to_vec(&facts).map_err(|error| BackupError::Manifest(path.clone(), error))?;
    fs::write(&path, text).map_err(BackupError::file(&path))?;
    let _ = fs::remove_dir_all(folder);
    fs::rename(&half, folder).map_err(BackupError::file(folder))?;
    Ok(Known { folder: folder.to_owned(), facts })
}

/// What was kept has served.
pub(crate) fn forget(known: &Known) -> Result<(), BackupError> {
    fs::remove_dir_all(&known.folder).map_err(BackupError::file(&known.folder))
}
