//! Whether a backup can be restored, by restoring it.

use crate::{
    Backup, BackupError, Folder, Manifest, Progress,
    database::Database,
    fingerprint, metrics,
    restore::{Lists, load},
};
use private_postgres::{Cluster, Programs, Purpose};
use std::path::Path;
use types::{Clock, Timestamp};

/// Restores the backup that lies in `backup` into a scratch database, on `server` or a server of its own that lasts as
/// long, and compares counts and checksums of all tables. When it was done is kept beside the backup.
pub async fn verify(
    folder: &Folder,
    backup: &Path,
    server: Option<&str>,
    jobs: usize,
    clock: &Clock,
    tell: impl FnMut(Progress),
) -> Result<Timestamp, BackupError> {
    let manifest = Manifest::read(backup)?;
    manifest.check_files(backup)?;
    let scratch = Scratch::new(server, &manifest.id)?;
    scratch.make().await?;
    let compared = compare(&scratch, backup, &manifest, jobs, tell).await;
    let dropped = scratch.drop().await;
    compared.and(dropped)?;
    let now = clock.now();
    Backup::set_verified(backup, now)?;
    metrics::set(folder, metrics::VERIFIED, now)?;
    Ok(now)
}

async fn compare(
    scratch: &Scratch,
    backup: &Path,
    manifest: &Manifest,
    jobs: usize,
    tell: impl FnMut(Progress),
) -> Result<(), BackupError> {
    let (database, lists, count) = (&scratch.database, Lists::of(backup)?, manifest.tables.len());
    load(database, backup, &lists.all_but_references(), jobs, count, tell).await?;
    load(database, backup, &lists.references(), jobs, count, |_| ()).await?;
    let client = database.connect().await?;
    client.batch_execute(fingerprint::SETTINGS).await?;
    let found = fingerprint::of(&client, |_, _| ()).await?;
    match fingerprint::difference(&manifest.tables, &found) {
        Some(difference) => Err(BackupError::Differs(difference)),
        None => Ok(()),
    }
}

/// A database for one comparison.
struct Scratch {
    name: String,
    /// Where databases are made and dropped from.
    server: Database,
    database: Database,
    /// Ends with this.
    _cluster: Option<(Cluster, tempfile::TempDir)>,
}

impl Scratch {
    fn new(server: Option<&str>, id: &str) -> Result<Self, BackupError> {
        let cluster = if server.is_none() { Some(private()?) } else { None };
        let own = cluster.as_ref().map(|(cluster, _)| cluster.url("postgres", "postgres"));
        let url = own.as_deref().or(server).unwrap_or_default();
        let name = format!("verify_{}", id.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
        let server = Database::parse(url)?;
        let database = server.sibling(&name)?;
        Ok(Self { name, server, database, _cluster: cluster })
    }

    async fn make(&self) -> Result<(), BackupError> {
        let client = self.server.connect().await?;
        // Left by a run that was killed.
        client.batch_execute(&format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", self.name)).await?;
        let make = format!("CREATE DATABASE \"{}\" TEMPLATE template0 ENCODING 'UTF8'", self.name);
        client.batch_execute(&make).await?;
        Ok(migrate::roles::ensure(&self.database.connect().await?).await?)
    }

    async fn drop(&self) -> Result<(), BackupError> {
        let client = self.server.connect().await?;
        Ok(client.batch_execute(&format!("DROP DATABASE \"{}\" WITH (FORCE)", self.name)).await?)
    }
}

/// A server of our own, in a folder that an unprivileged PostgreSQL may enter.
fn private() -> Result<(Cluster, tempfile::TempDir), BackupError> {
    use std::os::unix::fs::PermissionsExt as _;
    let absent = |error: &dyn std::error::Error| BackupError::NoServer(error.to_string());
    let programs = Programs::find().map_err(|error| absent(&error))?;
    let folder = tempfile::tempdir().map_err(BackupError::file(&std::env::temp_dir()))?;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))
        .map_err(BackupError::file(folder.path()))?;
    let cluster = Cluster::start(&programs, &folder.path().join("postgres"), Purpose::Test);
    Ok((cluster.map_err(|error| absent(&error))?, folder))
}
