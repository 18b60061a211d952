//! `_migrations`: which files are applied, by whom and when.

use crate::{File, patience::Patience};
use jiff::Timestamp;
use semver::Version;
use std::{collections::BTreeMap, time::Duration};
use tokio_postgres::{Client, Error, error::SqlState};
use uuid::Uuid;

const TABLE: &str = "
    CREATE TABLE _migrations (
        name text COLLATE \"C\" PRIMARY KEY,
        checksum bytea NOT NULL,
        oldest_app text,
        duration_ms bigint NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        applied_by text NOT NULL DEFAULT current_user,
        run_id uuid
    );
    ALTER TABLE _migrations ENABLE ROW LEVEL SECURITY;
    ALTER TABLE _migrations FORCE ROW LEVEL SECURITY;
    CREATE POLICY owner_all ON _migrations TO CURRENT_USER USING (true) WITH CHECK (true);
    CREATE POLICY readers ON _migrations FOR SELECT TO readonly_user, eap_system USING (true);
    GRANT SELECT ON _migrations TO readonly_user, eap_system;";

const RUN_ID: &str = "ALTER TABLE _migrations ADD COLUMN IF NOT EXISTS run_id uuid;";

/// What the database says about a file that was applied.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Record {
    /// SHA-256 of the file's normalised text when it ran, in hexadecimal.
    pub checksum: String,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// When it was applied.
    pub applied_at: Timestamp,
    /// The login that applied it.
    pub applied_by: String,
    /// The call of `up` that applied it; none for files from before this was recorded.
    pub run_id: Option<Uuid>,
    /// The oldest image that can run after it, as it said when it ran; none: any.
    pub oldest_app: Option<String>,
}

/// Makes what is missing and touches nothing else: any change of the table would wait for its readers, and let whoever
/// comes next wait too.
pub(crate) async fn ensure(client: &Client) -> Result<(), Error> {
    let mut patience = Patience::default();
    while let Some(missing) = missing(client).await? {
        if let Err(error) = client.batch_execute(&format!("{}; {missing} COMMIT", Patience::BEGIN)).await {
            patience.roll_back(client, error).await?;
            patience.pause().await;
        }
    }
    Ok(())
}

/// What a file without a transaction has done so far; only there when it was needed.
const STEPS: &str = "
    CREATE TABLE IF NOT EXISTS _migration_steps (
        name text COLLATE \"C\", step int, checksum bytea NOT NULL, run_id uuid NOT NULL,
        begun_at timestamptz NOT NULL DEFAULT clock_timestamp(), done_at timestamptz, PRIMARY KEY (name, step)
    )";

/// What somebody answers for; only there when it was needed.
const REPAIRS: &str = "
    CREATE TABLE IF NOT EXISTS _migration_repairs (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, was bytea NOT NULL, becomes bytea,
        reason text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp(), by text NOT NULL DEFAULT session_user
    )";

pub(crate) async fn ensure_steps(client: &Client) -> Result<(), Error> {
    client.batch_execute(STEPS).await
}

pub(crate) async fn ensure_repairs(client: &Client) -> Result<(), Error> {
    client.batch_execute(REPAIRS).await
}

async fn missing(client: &Client) -> Result<Option<&'static str>, Error> {
    let look = "SELECT to_regclass('_migrations') IS NULL, NOT EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = to_regclass('_migrations') AND attname = 'run_id')";
    let row = client.query_one(look, &[]).await?;
    Ok(match (row.try_get(0)?, row.try_get(1)?) {
        (true, _) => Some(TABLE),
        (_, true) => Some(RUN_ID),
        _ => None,
    })
}

/// The records by file name; a table that does not exist yet is empty. By way of JSON, because a reader may come before
/// the first `up` that knows `run_id`.
pub(crate) async fn records(client: &Client) -> Result<BTreeMap<String, Record>, Error> {
    let all = "SELECT name, encode(checksum, 'hex'), duration_ms, applied_at, applied_by,
        (to_jsonb(m) ->> 'run_id')::uuid, oldest_app FROM _migrations m";
    let rows = match client.query(all, &[]).await {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(BTreeMap::new()),
        rows => rows?,
    };
    let record = |row: &tokio_postgres::Row| {
        let [checksum, applied_by] = [row.try_get(1)?, row.try_get(4)?];
        let (duration_ms, applied_at) = (row.try_get(2)?, row.try_get(3)?);
        let (run_id, oldest_app) = (row.try_get(5)?, row.try_get(6)?);
        Ok((row.try_get(0)?, Record { checksum, duration_ms, applied_at, applied_by, run_id, oldest_app }))
    };
    rows.iter().map(record).collect()
}

/// Writes a file's record, in the transaction of the file.
pub(crate) async fn record(client: &Client, run: Uuid, file: &File, took: Duration) -> Result<(), Error> {
    let insert = "INSERT INTO _migrations (name, checksum, oldest_app, duration_ms, run_id)
        VALUES ($1, decode($2, 'hex'), $3, $4, $5)";
    let oldest = file.oldest_app.as_ref().map(Version::to_string);
    let took = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
    client.execute(insert, &[&file.name, &file.checksum(), &oldest, &took, &run]).await?;
    Ok(())
}
