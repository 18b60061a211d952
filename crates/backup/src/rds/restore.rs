//! A restore of an instance: a new one is made, and the old one kept.

use super::{
    aws::{PATIENCE, POLL},
    instance::{self, Origin},
};
use crate::{BackupError, Log, Loss, Restored, Swap, Told, database::Database, fingerprint, old, settle::settle};
use migrate::Client;
use std::time::Instant;
use tokio::time;
use types::Clock;

/// Makes a new instance of `source`, and readies its database for services as after any restore. `url` is the database
/// on the old instance, as `admin_user`; it is set read-only and kept. Nobody knows the new one before this returns.
pub async fn restore(
    source: &str,
    origin: Origin<'_>,
    url: &str,
    clock: &Clock,
    mut tell: impl FnMut(Told<'_>),
) -> Result<Restored, BackupError> {
    let old = Database::parse(url)?;
    let made = instance::make(source, origin, clock, &mut tell).await?;
    let new = old.on(&made.address, made.port)?;
    let client = connect(&new).await?;
    client.batch_execute(fingerprint::SETTINGS).await?;
    let log = Log::of(&client).await?;
    let place = tempfile::tempdir().map_err(BackupError::file(&std::env::temp_dir()))?;
    let (state, known) = old::give_up(url, &client, &place.path().join("since"), log.as_ref()).await?;
    tell(Told::Old(&state));
    if let Some(known) = &known {
        tell(Told::Loss(&Loss::between(&fingerprint::counts(&client).await?, &known.facts)));
    }
    let swap = Swap::between(&old, &new, &state);
    settle(&client, made.id, state, known.as_ref(), Some(swap)).await
}

/// The name of a new instance is not everywhere at once.
async fn connect(database: &Database) -> Result<Client, BackupError> {
    let start = Instant::now();
    loop {
        match database.connect().await {
            Err(_) if start.elapsed() < PATIENCE => time::sleep(POLL).await,
            done => return done,
        }
    }
}
