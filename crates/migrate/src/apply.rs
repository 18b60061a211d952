//! `up`: what is pending, one file and one transaction after the other.

use crate::{
    File, Files, connect,
    patience::Patience,
    place::Place,
    running::{self, Running},
    status::{State, status},
    table,
};
use futures_util::TryStreamExt;
use semver::Version;
use std::{
    pin::pin,
    time::{Duration, Instant},
};
use tokio_postgres::{Client, Error, SimpleQueryMessage, error::ErrorPosition};
use uuid::Uuid;

/// The advisory lock of whoever migrates: the ASCII bytes of "eapmigrt".
const LOCK: i64 = 0x6561_706d_6967_7274;
/// How long to wait for another migrator.
const LOCK_WAIT: Duration = Duration::from_mins(10);

/// A file that was applied just now.
#[derive(Debug, Clone)]
pub struct Applied {
    /// Its name.
    pub name: String,
    /// How long it took.
    pub took: Duration,
}

/// Why nothing, or nothing more, was applied; what was applied before stays.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// The roles do not exist.
    #[error(
        "the database has no role {0}: make the roles first, with `platform migrate roles` as a login that may create roles"
    )]
    NoRole(String),
    /// Files and database disagree.
    #[error("{0}: an applied file must stay as it is; restore it, and write a new file for what has to change")]
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
    /// Another migrator did not finish in time.
    #[error("another migrator holds the lock since {}s (process {pid} of the database); nothing was applied", LOCK_WAIT.as_secs())]
    Locked {
        /// Its server process.
        pid: i32,
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
    /// A statement of a file failed; nothing of that file was applied.
    #[error("{file}{}\nnothing of this file was applied", failure(place.as_ref(), message))]
    Statement {
        /// The file.
        file: String,
        /// What the server points at, or where the statement begins; none when neither is known.
        place: Option<Place>,
        /// The server's words.
        message: String,
    },
    /// Anything else the server said.
    #[error("{}", connect::described(.0))]
    Database(#[from] Error),
}

/// Applies what is pending and tells of each file; returns when all are applied. A second migrator waits for the first.
pub async fn up(client: &Client, files: &Files, mut tell: impl FnMut(&Applied)) -> Result<Vec<Applied>, UpError> {
    require_roles(client).await?;
    lock(client).await?;
    let done = apply_pending(client, files, &mut tell).await;
    if done.is_err() {
        // Or what failed would be hidden behind "current transaction is aborted".
        let _ = client.batch_execute("ROLLBACK").await;
    }
    let unlocked = client.query("SELECT pg_advisory_unlock($1)", &[&LOCK]).await;
    let applied = done?;
    unlocked?;
    Ok(applied)
}

async fn apply_pending(
    client: &Client,
    files: &Files,
    tell: &mut impl FnMut(&Applied),
) -> Result<Vec<Applied>, UpError> {
    table::ensure(client).await?;
    let entries = status(client, files).await?;
    if let Some(entry) = entries.iter().find(|entry| matches!(entry.state, State::Changed | State::Missing)) {
        return Err(UpError::Drift(entry.to_string()));
    }
    let is_pending = |name: &str| entries.iter().any(|entry| entry.name == name && entry.state == State::Pending);
    let pending: Vec<_> = files.in_order().iter().filter(|file| is_pending(&file.name)).collect();
    let last = entries.iter().rfind(|entry| entry.state == State::Applied);
    if let (Some(first), Some(last)) = (pending.first(), last)
        && first.name < last.name
    {
        return Err(UpError::OutOfOrder { pending: first.name.clone(), applied: last.name.clone() });
    }
    for file in &pending {
        if let Some(place) = Place::of_transaction_control(&file.sql) {
            return Err(UpError::TransactionControl { file: file.name.clone(), place });
        }
    }
    let run = client.query_one("SELECT gen_random_uuid()", &[]).await?.try_get(0)?;
    let mut done = Vec::with_capacity(pending.len());
    for file in pending {
        refuse_while_older_run(client, file).await?;
        let applied = apply(client, run, file).await?;
        tell(&applied);
        done.push(applied);
    }
    Ok(done)
}

/// Polls: a migrator that waits on the lock itself would deadlock with `CREATE INDEX CONCURRENTLY` of the one ahead.
async fn lock(client: &Client) -> Result<(), UpError> {
    let start = Instant::now();
    loop {
        let row = client
            .query_one(
                "SELECT pg_try_advisory_lock($1), (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                 AND (classid::bigint << 32 | objid::bigint) = $1 LIMIT 1)",
                &[&LOCK],
            )
            .await?;
        if row.try_get(0)? {
            return Ok(());
        }
        if start.elapsed() > LOCK_WAIT {
            return Err(UpError::Locked { pid: row.try_get::<_, Option<i32>>(1)?.unwrap_or_default() });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn require_roles(client: &Client) -> Result<(), UpError> {
    let missing =
        "SELECT name FROM unnest($1::text[]) name WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)";
    let rows = client.query(missing, &[&crate::roles::NAMES]).await?;
    let missing = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<&str>, _>>()?;
    if missing.is_empty() { Ok(()) } else { Err(UpError::NoRole(missing.join(", "))) }
}

async fn refuse_while_older_run(client: &Client, file: &File) -> Result<(), UpError> {
    let Some(oldest) = &file.oldest_app else { return Ok(()) };
    let older = running::seen(client).await?.into_iter().find(|running| running.is_older_than(oldest));
    older.map_or(Ok(()), |Running { service, version }| {
        Err(UpError::TooOld { file: file.name.clone(), oldest: oldest.clone(), service, version })
    })
}

/// One file and its record, in one transaction; a lock that is not had is tried for again.
async fn apply(client: &Client, run: Uuid, file: &File) -> Result<Applied, UpError> {
    let mut patience = Patience::default();
    loop {
        let start = Instant::now();
        match try_apply(client, run, file, start).await {
            Ok(()) => return Ok(Applied { name: file.name.clone(), took: start.elapsed() }),
            Err(Failure { error, ran }) => {
                patience.again(client, error).await.map_err(|error| located(file, ran, error))?;
            }
        }
    }
}

/// What went wrong, and how many statements of the file ran before; none when it was not one of the file's.
struct Failure {
    error: Error,
    ran: Option<usize>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, ran: None }
    }
}

async fn try_apply(client: &Client, run: Uuid, file: &File, start: Instant) -> Result<(), Failure> {
    client.batch_execute(Patience::BEGIN).await?;
    let (mut messages, mut ran) = (pin!(client.simple_query_raw(&file.sql).await?), 0);
    while let Some(message) = messages.try_next().await.map_err(|error| Failure { error, ran: Some(ran) })? {
        ran += usize::from(matches!(message, SimpleQueryMessage::CommandComplete(_)));
    }
    // What a file sets, as a dump does with search_path, ends with it.
    client.batch_execute("RESET ALL; RESET ROLE").await?;
    table::record(client, run, file, start.elapsed()).await?;
    Ok(client.batch_execute("COMMIT").await?)
}

/// Points at what the server means.
fn located(file: &File, ran: Option<usize>, error: Error) -> UpError {
    let Some(db) = error.as_db_error() else { return error.into() };
    let place = ran.and_then(|ran| match db.position() {
        Some(ErrorPosition::Original(position)) => Some(Place::of_character(&file.sql, *position)),
        _ => Place::of_statement(&file.sql, ran),
    });
    UpError::Statement { file: file.name.clone(), place, message: db.message().to_owned() }
}

fn failure(place: Option<&Place>, message: &str) -> String {
    place
        .map_or_else(|| format!(": {message}"), |place| format!(":{}:{}: {message}\n{place}", place.line, place.column))
}
