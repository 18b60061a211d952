//! The database, read as somebody who may only read.

use super::{Migration, Schema, source};
use crate::{failure::Failure, secret};
use migrate::{Client, Files, State};
use runbook_file::Environment;
use std::path::Path;

/// Compared with the files of a commit. None: `runbook.toml` names no database, or not where its URL is.
pub(crate) async fn observe(folder: &Path, environment: &Environment, commit: &str) -> Result<Option<Schema>, Failure> {
    let Some(client) = connect(environment).await? else { return Ok(None) };
    let files = source::migrations(folder, commit).await?;
    read(&client, &files).await.map(Some)
}

/// What is applied, which is all that a way back depends on.
pub(crate) async fn observe_without_files(environment: &Environment) -> Result<Option<Schema>, Failure> {
    let Some(client) = connect(environment).await? else { return Ok(None) };
    read(&client, &Files::default()).await.map(Some)
}

/// As who may read.
pub(crate) async fn connect(environment: &Environment) -> Result<Option<Client>, Failure> {
    let Some(url) = environment.database.as_ref().and_then(|database| database.url.as_ref()) else { return Ok(None) };
    let url = secret::value(url, environment, "postgresql://readonly_user@HOST:5432/api_platform").await?;
    let client = migrate::connect(&url).await.map_err(|error| unreachable(&error.to_string(), url))?;
    Ok(Some(client))
}

/// The server's words may repeat the URL.
fn unreachable(said: &str, url: String) -> Failure {
    Failure::failed(crate::redact::redact(said, &[url]))
        .because("what is pending, and which images may run, is asked of the database")
        .cured_by("psql \"$DATABASE_URL\" -c 'SELECT 1'")
}

/// Compared with these files.
pub(crate) async fn read(client: &Client, files: &Files) -> Result<Schema, Failure> {
    let failed = |error: migrate::PostgresError| Failure::failed(format!("the database: {error}"));
    let entries = migrate::status(client, files).await.map_err(failed)?;
    let running = migrate::seen(client).await.map_err(failed)?;
    let names = |wanted: fn(State) -> bool| {
        let found = entries.iter().filter(move |entry| wanted(entry.state));
        found.map(|entry| entry.name.clone()).collect::<Vec<_>>()
    };
    let pending = files
        .in_order()
        .iter()
        .filter(|file| entries.iter().any(|entry| entry.name == file.name && entry.state == State::Pending));
    let pending = pending.map(|file| Migration {
        name: file.name.clone(),
        oldest_app: file.oldest_app.clone(),
        has_down: file.down.is_some(),
    });
    let oldest = entries.iter().filter_map(|entry| {
        let version = entry.record.as_ref()?.oldest_app.as_ref()?.parse().ok()?;
        Some((version, entry.name.clone()))
    });
    Ok(Schema {
        pending: pending.collect(),
        changed: names(|state| state == State::Changed),
        applied: names(|state| state != State::Pending),
        oldest_app: oldest.max(),
        running: running.iter().map(ToString::to_string).collect(),
    })
}
