//! The proof that a file can be undone: up, down and up again on an empty database, compared each time.

use crate::{
    Files, Options, UpError, connect,
    down::undo,
    roles,
    schema::{self, differs},
    up,
};
use private_postgres::{Cluster, Programs, Purpose};
use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};
use tokio_postgres::Client;

/// Why a file may be undone.
#[derive(Debug, Clone, Copy)]
pub enum Trust<'a> {
    /// It is proven first on this database, which must be empty and of the same major version.
    Scratch(&'a Client),
    /// It is proven first on a server of its own, for as long, with the programs of this machine.
    Here,
    /// A verified backup has all that was there.
    Backup,
}

/// Proves it, unless there is a backup.
pub(crate) async fn prove(client: &Client, files: &Files, name: &str, trust: Trust<'_>) -> Result<(), UpError> {
    match trust {
        Trust::Backup => Ok(()),
        Trust::Scratch(scratch) => on(client, scratch, files, name).await,
        Trust::Here => {
            let impossible = |why: String| UpError::NoProof { file: name.to_owned(), why };
            let (_cluster, _folder, url) = here().await.map_err(impossible)?;
            let scratch = connect(&url).await.map_err(|error| impossible(error.to_string()))?;
            on(client, &scratch, files, name).await
        }
    }
}

/// A server in a folder that an unprivileged PostgreSQL may enter, and a database on it for the owner of the tables.
async fn here() -> Result<(Cluster, tempfile::TempDir, String), String> {
    let programs = Programs::find().map_err(|error| error.to_string())?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
    let cluster = Cluster::start(&programs, &folder.path().join("postgres"), Purpose::Test);
    let cluster = cluster.map_err(|error| error.to_string())?;
    let superuser = connect(&cluster.url("postgres", "postgres")).await.map_err(|error| error.to_string())?;
    roles::ensure(&superuser).await.map_err(|error| error.to_string())?;
    let url = cluster.url("admin_user", "postgres");
    Ok((cluster, folder, url))
}

async fn on(client: &Client, scratch: &Client, files: &Files, name: &str) -> Result<(), UpError> {
    let (is, proven) = (major(client).await?, major(scratch).await?);
    if is != proven {
        let why = format!("the proof would be by PostgreSQL {proven}, and the database is on {is}");
        return Err(UpError::NoProof { file: name.to_owned(), why });
    }
    let known = schema::first(scratch).await?;
    let had_files = "SELECT 'a list of applied files' WHERE to_regclass('_migrations') IS NOT NULL";
    let had_files = scratch.query_opt(had_files, &[]).await?.map(|row| row.get(0));
    if let Some(known) = known.or(had_files) {
        return Err(UpError::NotEmpty(known));
    }
    let (earlier, all) = (files.only(|other| other < name), files.only(|other| other <= name));
    let unproven = |difference: String| UpError::Unproven { file: name.to_owned(), difference };
    up(scratch, &earlier, &Options::default(), |_| {}).await?;
    let before = schema::statements(scratch).await?;
    up(scratch, &all, &Options::default(), |_| {}).await?;
    let after = schema::statements(scratch).await?;
    undo(scratch, &all, name, true).await.map_err(|error| unproven(error.to_string()))?;
    let undone = schema::statements(scratch).await?;
    if let Some(difference) = differs(&before, &undone) {
        return Err(unproven(difference));
    }
    let again = up(scratch, &all, &Options::default(), |_| {}).await;
    again.map_err(|error| unproven(format!("it cannot be applied again: {error}")))?;
    match differs(&after, &schema::statements(scratch).await?) {
        Some(difference) => Err(unproven(difference)),
        None => Ok(()),
    }
}

async fn major(client: &Client) -> Result<i32, UpError> {
    let number = "SELECT current_setting('server_version_num')::int / 10000";
    Ok(client.query_one(number, &[]).await?.try_get(0)?)
}
