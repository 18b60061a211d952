//! Making a backup.

use crate::{
    BackupError, Folder, Manifest, Progress,
    database::Database,
    fingerprint,
    log::Log,
    manifest::{DATA, digests},
    metrics, process,
};
use migrate::Client;
use std::{
    fs::{self, File},
    path::Path,
};
use tokio::process::Command;
use types::{Clock, Timestamp};

/// Dumps the database into the folder, with counts and checksums of the same snapshot. Needs `admin_user`, or whoever
/// else sees every row.
pub async fn create(
    url: &str,
    folder: &Folder,
    jobs: usize,
    clock: &Clock,
    tell: impl FnMut(Progress),
) -> Result<Manifest, BackupError> {
    let database = Database::parse(url)?;
    let client = database.connect().await?;
    let lock = folder.lock()?;
    let now = clock.now();
    let mut manifest = describe(&client, now).await?;
    let half = folder.half(&manifest.id);
    fs::create_dir(&half).map_err(BackupError::file(&half))?;
    let mut dump = database.command("pg_dump");
    // The lock goes along: should this process be killed, it is held until `pg_dump` has ended too.
    dump.arg(format!("--jobs={jobs}")).stdin(lock);
    let made = fill(dump, &client, &half, &mut manifest, tell).await;
    if let Err(error) = made {
        // A disk that is full must not stay so because of us.
        let _ = fs::remove_dir_all(&half);
        return Err(error);
    }
    let whole = folder.path().join(&manifest.id);
    fs::rename(&half, &whole).map_err(BackupError::file(&whole))?;
    sync(folder.path())?;
    metrics::set(folder, metrics::MADE, now)?;
    Ok(manifest)
}

/// As JSON, because older databases do not record runs.
const NEWEST: &str = "SELECT name, (to_jsonb(m) ->> 'run_id')::uuid FROM _migrations m ORDER BY name DESC LIMIT 1";

/// Begins the snapshot, and says what it is of.
async fn describe(client: &Client, taken_at: Timestamp) -> Result<Manifest, BackupError> {
    client.batch_execute(fingerprint::SETTINGS).await?;
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let row = client.query_one("SELECT current_database()::text, current_setting('server_version')", &[]).await?;
    let (database, server_version): (String, String) = (row.get(0), row.get(1));
    let is_ours = client.query_one("SELECT to_regclass('public._migrations') IS NOT NULL", &[]).await?.get(0);
    let newest = if is_ours { client.query_opt(NEWEST, &[]).await? } else { None };
    let (schema, schema_run) = newest.map_or((None, None), |row| (Some(row.get(0)), row.get(1)));
    let log = if is_ours { Log::of(client).await? } else { None };
    let moment = jiff::Timestamp::from_millisecond(taken_at.as_millis()).unwrap_or_default();
    let id = format!("{database}-{}", moment.strftime("%Y%m%d-%H%M%S"));
    let (tables, files) = Default::default();
    Ok(Manifest { form: 1, id, taken_at, database, server_version, schema, schema_run, log, tables, files, bytes: 0 })
}

/// The dump and the manifest.
async fn fill(
    mut dump: Command,
    client: &Client,
    half: &Path,
    manifest: &mut Manifest,
    mut tell: impl FnMut(Progress),
) -> Result<(), BackupError> {
    manifest.tables = fingerprint::of(client, |_, _| ()).await?;
    let snapshot: String = client.query_one("SELECT pg_export_snapshot()", &[]).await?.get(0);
    dump.args(["--format=directory", "--verbose", "--enable-row-security", "--schema=public", "--file"]);
    dump.arg(half.join(DATA)).arg(format!("--snapshot={snapshot}"));
    let mut progress = Progress { tables: 0, of: manifest.tables.len() };
    process::run("pg_dump", &mut dump, |line| {
        if line.contains("dumping contents of table") {
            progress.tables += 1;
            tell(progress);
        }
    })
    .await?;
    client.batch_execute("COMMIT").await?;
    (manifest.files, manifest.bytes) = digests(&half.join(DATA))?;
    manifest.write(half)?;
    sync(half)
}

/// A folder's entries are on the disk.
fn sync(folder: &Path) -> Result<(), BackupError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(BackupError::file(folder))
}
