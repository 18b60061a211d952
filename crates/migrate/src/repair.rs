//! `repair`: a difference between files and database that somebody answers for.

use crate::{Files, State, UpError, session, status::status, table};
use tokio_postgres::Client;

/// Accepts that an applied file has another text now, or is gone, and records who said so and why.
pub async fn repair(client: &Client, files: &Files, name: &str, reason: &str) -> Result<(), UpError> {
    if reason.split_whitespace().count() < 2 {
        return Err(UpError::NoReason);
    }
    session::begin(client, None).await?;
    let done = accept(client, files, name, reason).await;
    session::end(client, done).await
}

async fn accept(client: &Client, files: &Files, name: &str, reason: &str) -> Result<(), UpError> {
    table::ensure(client).await?;
    table::ensure_repairs(client).await?;
    let entries = status(client, files).await?;
    let drifted = |state| matches!(state, State::Changed | State::Missing);
    if !entries.iter().any(|entry| entry.name == name && drifted(entry.state)) {
        return Err(UpError::NothingToRepair(name.to_owned()));
    }
    let checksum = files.in_order().iter().find(|file| file.name == name).map(crate::File::checksum);
    client.batch_execute("BEGIN").await?;
    let recorded = "INSERT INTO _migration_repairs (name, was, becomes, reason)
        SELECT name, checksum, decode($2, 'hex'), $3 FROM _migrations WHERE name = $1";
    client.execute(recorded, &[&name, &checksum, &reason]).await?;
    match &checksum {
        Some(checksum) => {
            let change = "UPDATE _migrations SET checksum = decode($2, 'hex') WHERE name = $1";
            client.execute(change, &[&name, checksum]).await?
        }
        None => client.execute("DELETE FROM _migrations WHERE name = $1", &[&name]).await?,
    };
    Ok(client.batch_execute("COMMIT").await?)
}
