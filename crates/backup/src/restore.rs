//! Restoring a backup, so that services may start on it.

use crate::{
    BackupError, Loss, Manifest, Progress, Restored, Swap, Told,
    database::{self, Database},
    manifest::DATA,
    old, process,
    settle::settle,
};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

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

/// How a backup is restored.
#[derive(Debug, Clone, Copy)]
pub struct How<'a> {
    /// Empties the database first.
    pub replace: bool,
    /// The database whose place the restored one takes; without it, with `replace`, the one that is emptied.
    pub old: Option<&'a str>,
    /// Tables at a time.
    pub jobs: usize,
}

/// Restores the backup that lies in `backup` into a database that is empty, or with `replace` is emptied first. Rights
/// that the old database has taken away since stay taken away.
pub async fn restore(
    url: &str,
    backup: &Path,
    how: How<'_>,
    mut tell: impl FnMut(Told<'_>),
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
    let tables: i64 = client.query_one(tables, &[]).await?.get(0);
    if tables > 0 && !how.replace {
        return Err(BackupError::NotEmpty(tables));
    }
    let name: String = client.query_one("SELECT current_database()::text", &[]).await?.get(0);
    let (folder, log) = (backup.join(format!("since-{name}")), manifest.log.as_ref());
    let (state, known) = match how.old {
        Some(old) => old::give_up(old, &client, &folder, log).await?,
        None => old::before_emptied(&client, &folder, log).await?,
    };
    tell(Told::Old(&state));
    if let Some(known) = &known {
        let rows = manifest.tables.iter().map(|(name, table)| (name.clone(), table.rows)).collect();
        tell(Told::Loss(&Loss::between(&rows, &known.facts)));
    }
    if tables > 0 {
        client.batch_execute(CLEAR).await?;
    }
    let lists = Lists::of(backup)?;
    let count = manifest.tables.len();
    load(&database, backup, &lists.first(), how.jobs, count, |progress| tell(Told::Tables(progress))).await?;
    let swap = how.old.and_then(|old| Some(Swap::between(&Database::parse(old).ok()?, &database, &state)));
    load(&database, backup, &lists.references(), how.jobs, count, |_| ()).await?;
    let restored = settle(&client, manifest.id.clone(), state, known.as_ref(), swap).await?;
    load(&database, backup, &lists.last(), 1, 1, |_| ()).await?;
    if let Some(known) = &known {
        old::forget(known)?;
    }
    Ok(restored)
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

    pub(crate) fn all_but_references(&self) -> String {
        self.lines(|line| !is_reference(line))
    }

    /// Checked by the tables' owner, who sees no row of a table whose row level security is on and whose policies are
    /// not there yet. What is restored at the same time comes in any order: so these come when all else is there.
    pub(crate) fn references(&self) -> String {
        self.lines(is_reference)
    }

    fn first(&self) -> String {
        self.lines(|line| !is_last(line) && !is_reference(line))
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

fn is_reference(line: &str) -> bool {
    line.contains(" FK CONSTRAINT ")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_dump_is_restored_once_references_after_policies_and_the_list_of_migrations_last() {
        let lines = [
            "218; 1259 16385 TABLE public _migrations admin_user",
            "220; 1259 16400 TABLE public sessions admin_user",
            "3456; 3256 16500 POLICY public memberships owner_all admin_user",
            "3457; 0 16501 ROW SECURITY public memberships admin_user",
            "3458; 2606 16502 FK CONSTRAINT public sessions sessions_org_id_user_id_fkey admin_user",
            "3459; 2606 16503 CONSTRAINT public sessions sessions_pkey admin_user",
        ];
        let lists =
            Lists(format!(";\n; Archive\n4; 2615 2200 SCHEMA - public pg_database_owner\n{}\n", lines.join("\n")));
        assert_eq!(lists.references(), format!("{}\n", lines[4]));
        assert_eq!(lists.last(), format!("{}\n", lines[0]));
        let first = [lines[1], lines[2], lines[3], lines[5]].map(|line| format!("{line}\n")).concat();
        assert_eq!(lists.first(), first);
        assert_eq!(lists.all_but_references(), format!("{}\n{first}", lines[0]));
    }
}
