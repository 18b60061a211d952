//! Restoring a backup, so that services may start on it.

use crate::{
    BackupError, Manifest, Progress,
    database::{self, Database},
    manifest::DATA,
    process,
};
use migrate::Client;
use serde::Serialize;
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// What a restore did besides.
#[derive(Debug, Serialize)]
pub struct Restored {
    /// Of the backup.
    pub id: String,
    /// Of the log from now on.
    pub epoch: i32,
    /// Sessions that ended.
    pub sessions_ended: u64,
    /// Keys whose tokens are refused from now on.
    pub signing_keys_retired: u64,
}

/// Everything but the list of what is applied comes first: until that is there too, no service is ready.
const LAST: &str = "_migrations";

/// Whoever is connected beside us. Of others' sessions an owner may see the user, and not the kind; only those of
/// clients have a user.
const OTHERS: &str = "SELECT string_agg(DISTINCT usename, ', ') FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL";

/// Drops what is in the schema; not the schema, which a database's owner may have given away.
const CLEAR: &str = "DO $$ DECLARE thing record; BEGIN
    FOR thing IN SELECT format('TABLE %I', relname) AS sql FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
        UNION ALL SELECT format('VIEW %I', relname) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
    LOOP EXECUTE format('DROP %s CASCADE', replace(thing.sql, 'VIEW ', 'VIEW IF EXISTS ')); END LOOP;
    FOR thing IN SELECT oid::regprocedure AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_proc.oid AND d.deptype = 'e')
    LOOP EXECUTE format('DROP ROUTINE %s CASCADE', thing.name); END LOOP;
    FOR thing IN SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'
    LOOP EXECUTE format('DROP SEQUENCE IF EXISTS %I CASCADE', thing.name); END LOOP;
    FOR thing IN SELECT typname AS name FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
    LOOP EXECUTE format('DROP TYPE IF EXISTS %I CASCADE', thing.name); END LOOP;
END $$";

/// The log goes on in an epoch of its own; no session, and no token that was signed before, is taken any more. Tokens
/// can be of sessions that the backup does not know, so the keys go: the first service that starts makes a new one.
const CONSEQUENCES: [&str; 3] = [
    "UPDATE _fence SET epoch = epoch + 1, holder = NULL, until = '-infinity' WHERE name = 'sequencer'",
    "UPDATE sessions SET revoked_at = clock_timestamp(), version = version + 1 WHERE revoked_at IS NULL",
    "UPDATE signing_keys SET retired_at = clock_timestamp() WHERE retired_at IS NULL",
];

/// Restores the backup that lies in `backup` into a database that is empty, or with `replace` is emptied first.
pub async fn restore(
    url: &str,
    backup: &Path,
    replace: bool,
    jobs: usize,
    tell: impl FnMut(Progress),
) -> Result<Restored, BackupError> {
    let manifest = Manifest::read(backup)?;
    manifest.check_files(backup)?;
    let database = Database::parse(url)?;
    let client = database.connect().await?;
    let others: Option<String> = client.query_one(OTHERS, &[]).await?.get(0);
    if let Some(others) = others {
        return Err(BackupError::InUse(others));
    }
    let tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')";
    match client.query_one(tables, &[]).await?.get(0) {
        0 => {}
        count if !replace => return Err(BackupError::NotEmpty(count)),
        _ => client.batch_execute(CLEAR).await?,
    }
    let lists = Lists::of(backup)?;
    load(&database, backup, &lists.first(), jobs, manifest.tables.len(), tell).await?;
    let restored = consequences(&client, manifest.id.clone()).await?;
    load(&database, backup, &lists.last(), 1, 1, |_| ()).await?;
    Ok(restored)
}

async fn consequences(client: &Client, id: String) -> Result<Restored, BackupError> {
    client.batch_execute("BEGIN").await?;
    let mut changed = [0; 3];
    for (statement, count) in CONSEQUENCES.iter().zip(&mut changed) {
        *count = client.execute(*statement, &[]).await?;
    }
    let epoch = client.query_one("SELECT epoch FROM _fence WHERE name = 'sequencer'", &[]).await?.get(0);
    client.batch_execute("COMMIT").await?;
    let [_, sessions_ended, signing_keys_retired] = changed;
    Ok(Restored { id, epoch, sessions_ended, signing_keys_retired })
}

/// What is in a dump, a line each, as `pg_restore` lists it.
pub(crate) struct Lists(String);

impl Lists {
    pub(crate) fn of(backup: &Path) -> Result<Self, BackupError> {
        let mut list = Command::new(database::place("pg_restore"));
        let output = list.arg("--list").arg(backup.join(DATA)).output();
        let output = output.map_err(|error| BackupError::NoProgram("pg_restore", error))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(BackupError::Program { program: "pg_restore", said });
        }
        Ok(Self(String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    pub(crate) fn all(&self) -> String {
        self.lines(|_| true)
    }

    fn first(&self) -> String {
        self.lines(|line| !is_last(line))
    }

    fn last(&self) -> String {
        self.lines(is_last)
    }

    fn lines(&self, wanted: fn(&str) -> bool) -> String {
        // The schema is there in every database; its rights belong to the roles, and often it is not ours.
        let is_schema = |line: &str| [" SCHEMA - public ", " - SCHEMA public "].iter().any(|of| line.contains(of));
        let lines = self.0.lines().filter(|line| !line.starts_with(';') && !is_schema(line) && wanted(line));
        lines.flat_map(|line| [line, "\n"]).collect()
    }
}

fn is_last(line: &str) -> bool {
    line.split(' ').any(|word| word == LAST)
}

/// What a list names of the dump.
pub(crate) async fn load(
    database: &Database,
    backup: &Path,
    list: &str,
    jobs: usize,
    of: usize,
    mut tell: impl FnMut(Progress),
) -> Result<(), BackupError> {
    let file = tempfile::NamedTempFile::new().map_err(BackupError::file(&std::env::temp_dir()))?;
    fs::write(file.path(), list).map_err(BackupError::file(file.path()))?;
    let mut restore = database.command("pg_restore");
    // Without it the owner's checks of foreign keys are refused: his tables have row level security forced.
    restore.args(["--exit-on-error", "--verbose", "--enable-row-security"]).arg(format!("--jobs={jobs}"));
    restore.arg("--use-list").arg(file.path()).arg(backup.join(DATA)).stdin(Stdio::null());
    let mut progress = Progress { tables: 0, of };
    process::run("pg_restore", &mut restore, |line| {
        if line.contains("processing data for table") {
            progress.tables += 1;
            tell(progress);
        }
    })
    .await
}
