//! `_migration_backfills`: how far each backfill is; written by its batches, read by `status`.

use super::{Backfill, BackfillError};
use crate::{Files, patience::Patience};
use jiff::Timestamp;
use std::fmt;
use tokio_postgres::{Client, Error, Row, error::SqlState};

/// Only there when it was needed.
const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS _migration_backfills (
        name text COLLATE \"C\" PRIMARY KEY,
        checksum bytea NOT NULL,
        reached text[], -- the last key that is done
        until text[] NOT NULL, -- the last key when it began
        total bigint NOT NULL, -- rows then, estimated
        walked bigint NOT NULL DEFAULT 0, -- rows in the batches
        changed bigint NOT NULL DEFAULT 0, -- rows that the statement said it wrote
        batches bigint NOT NULL DEFAULT 0,
        rows_per_second float8 NOT NULL DEFAULT 0,
        slowed_by text,
        pid int, -- of the session that runs it, or ran it last
        started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        started_by text NOT NULL DEFAULT session_user,
        updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        paused_by text,
        done_at timestamptz
    );
    ALTER TABLE _migration_backfills ENABLE ROW LEVEL SECURITY;
    ALTER TABLE _migration_backfills FORCE ROW LEVEL SECURITY;
    CREATE POLICY owner_all ON _migration_backfills TO CURRENT_USER USING (true) WITH CHECK (true);
    CREATE POLICY readers ON _migration_backfills FOR SELECT TO readonly_user USING (true);
    GRANT SELECT ON _migration_backfills TO readonly_user;";

/// How far a backfill is.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Progress {
    /// Which.
    pub name: String,
    /// Where it stands.
    pub state: BackfillState,
    /// Its numbers; nothing of one that never ran.
    #[serde(flatten)]
    pub record: Option<BackfillRecord>,
}

/// What the database says about a backfill that was started.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct BackfillRecord {
    /// Rows in the table when it began, estimated.
    pub total: i64,
    /// Rows that its batches went over.
    pub walked: i64,
    /// Rows that its statement wrote.
    pub changed: i64,
    /// Its batches.
    pub batches: i64,
    /// How fast it is, or was last.
    pub rows_per_second: f64,
    /// What makes it slower than it could be.
    pub slowed_by: Option<String>,
    /// The last key that is done, as PostgreSQL writes its values.
    pub reached: Option<Vec<String>>,
    /// When it was first started.
    pub started_at: Timestamp,
    /// By which login.
    pub started_by: String,
    /// When its last batch was committed.
    pub updated_at: Timestamp,
    /// Whose login paused it.
    pub paused_by: Option<String>,
    /// When it was done.
    pub done_at: Option<Timestamp>,
}

/// Where a backfill stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BackfillState {
    /// Never started.
    Pending,
    /// Somebody is at it.
    Running,
    /// Nobody is at it, and it was not paused: it ended by itself, or was killed.
    Stopped,
    /// Somebody paused it.
    Paused,
    /// All rows are done.
    Done,
}

impl fmt::Display for BackfillState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
            Self::Done => "done",
        })
    }
}

impl BackfillRecord {
    /// How much of it is done, from 0 to 100; the total is an estimate, and a table may have grown.
    pub fn percent(&self) -> i64 {
        if self.done_at.is_some() {
            return 100;
        }
        (self.walked * 100).checked_div(self.total.max(self.walked)).unwrap_or(0).min(99)
    }
}

/// As in `✓ 20250301_fill_email (done, 1000000 rows)`.
impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, state, record } = self;
        let mark = match state {
            BackfillState::Pending => "✗",
            BackfillState::Running => "…",
            BackfillState::Stopped | BackfillState::Paused => "!",
            BackfillState::Done => "✓",
        };
        write!(f, "{mark} {name} ({state}")?;
        if let Some(record) = record {
            let BackfillRecord { walked, total, rows_per_second, slowed_by, paused_by, .. } = record;
            match state {
                BackfillState::Done => write!(f, ", {walked} rows")?,
                _ => write!(f, ", {} % of about {total} rows", record.percent())?,
            }
            if *state == BackfillState::Running {
                write!(f, ", {rows_per_second:.0} rows/s")?;
                slowed_by.as_ref().map_or(Ok(()), |why| write!(f, ", slowed: {why}"))?;
            }
            if *state == BackfillState::Paused {
                paused_by.as_ref().map_or(Ok(()), |who| write!(f, " by {who}"))?;
            }
        }
        f.write_str(")")
    }
}

/// Every backfill of the folder and of the database, in order. Writes nothing; works for a login that may only read.
pub async fn progress(client: &Client, files: &Files) -> Result<Vec<Progress>, Error> {
    let mut all = known(client).await?;
    for Backfill { name, .. } in files.backfills() {
        if !all.iter().any(|known| known.name == *name) {
            all.push(Progress { name: name.clone(), state: BackfillState::Pending, record: None });
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// Those that were ever started.
pub(super) async fn known(client: &Client) -> Result<Vec<Progress>, Error> {
    // Whether its session still lives and still holds the lock.
    let rows = format!(
        "SELECT name, total, walked, changed, batches, rows_per_second, slowed_by, reached, started_at, started_by, updated_at,
            paused_by, done_at, EXISTS (SELECT FROM pg_locks l WHERE l.pid = b.pid AND {})
         FROM _migration_backfills b ORDER BY name",
        super::run::HELD
    );
    match client.query(&rows, &[]).await {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(Vec::new()),
        rows => rows?.iter().map(of).collect(),
    }
}

fn of(row: &Row) -> Result<Progress, Error> {
    let record = BackfillRecord {
        total: row.try_get(1)?,
        walked: row.try_get(2)?,
        changed: row.try_get(3)?,
        batches: row.try_get(4)?,
        rows_per_second: row.try_get(5)?,
        slowed_by: row.try_get(6)?,
        reached: row.try_get(7)?,
        started_at: row.try_get(8)?,
        started_by: row.try_get(9)?,
        updated_at: row.try_get(10)?,
        paused_by: row.try_get(11)?,
        done_at: row.try_get(12)?,
    };
    let state = match (&record.done_at, &record.paused_by, row.try_get(13)?) {
        (Some(_), ..) => BackfillState::Done,
        (_, Some(_), _) => BackfillState::Paused,
        (.., true) => BackfillState::Running,
        _ => BackfillState::Stopped,
    };
    Ok(Progress { name: row.try_get(0)?, state, record: Some(record) })
}

/// Makes the table; nothing when it is there.
pub(super) async fn ensure(client: &Client) -> Result<(), Error> {
    let mut patience = Patience::default();
    let there = "SELECT to_regclass('_migration_backfills') IS NOT NULL";
    while !client.query_one(there, &[]).await?.try_get::<_, bool>(0)? {
        if let Err(error) = client.batch_execute(&format!("{}; {TABLE} COMMIT", Patience::BEGIN)).await {
            patience.roll_back(client, error).await?;
            patience.pause().await;
        }
    }
    Ok(())
}

/// Pauses it: its runner ends after the batch that it is at, and nobody begins another one before `resume`.
pub async fn pause(client: &Client, name: &str) -> Result<(), BackfillError> {
    let pause = "UPDATE _migration_backfills SET paused_by = session_user WHERE name = $1 AND done_at IS NULL AND paused_by IS NULL";
    let paused = match client.execute(pause, &[&name]).await {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => 0,
        paused => paused?,
    };
    if paused == 1 {
        return Ok(());
    }
    let state = known(client).await?.into_iter().find(|known| known.name == name).map(|known| known.state.to_string());
    let state = state.unwrap_or_else(|| "not started".to_owned());
    Err(BackfillError::NotPausable { name: name.to_owned(), state })
}

/// Which of these backfills are still to be done. One whose table has no rows, or is not there yet, has nothing to do:
/// a new installation needs none.
pub(crate) async fn lacking(client: &Client, files: &Files, names: &[String]) -> Result<Vec<String>, Error> {
    let mut lacking = Vec::new();
    if names.is_empty() {
        return Ok(lacking);
    }
    let known = known(client).await?;
    let is_done = |name: &str| known.iter().any(|known| known.name == name && known.state == BackfillState::Done);
    for backfill in names.iter().filter(|name| !is_done(name)).filter_map(|name| files.backfill(name)) {
        let table = &backfill.table;
        let there = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[table]).await?.try_get(0)?;
        if there && client.query_one(&format!("SELECT EXISTS (SELECT FROM {table})"), &[]).await?.try_get(0)? {
            lacking.push(backfill.name.clone());
        }
    }
    Ok(lacking)
}
