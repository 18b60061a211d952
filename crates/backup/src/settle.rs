//! What a restored database needs before services may start on it.

use crate::{
    BackupError, Loss, Old, Swap, fingerprint,
    old::Known,
    revocations::{self, Revoked},
};
use migrate::Client;
use serde::Serialize;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a restore did besides.
#[derive(Debug, Serialize)]
pub struct Restored {
    /// Of the backup, or of the new instance.
    pub id: String,
    /// Of the log from now on.
    pub epoch: i32,
    /// Sessions that ended.
    pub sessions_ended: u64,
    /// Keys whose tokens are refused from now on.
    pub signing_keys_retired: u64,
    /// What became of the database that was given up.
    pub old: Old,
    /// Rights that were taken away after the backup, and were again: rows by table.
    pub revoked: BTreeMap<&'static str, u64>,
    /// Rows that the old database lacks, by table; so many that they are taken for damage, and are here again.
    pub left: BTreeMap<&'static str, u64>,
    /// Organizations that have members, and no owner any more.
    pub without_owner: Vec<Uuid>,
    /// What is lost, by what the old database had; none where it was not read.
    pub loss: Option<Loss>,
    /// What lets services use it instead of the old database, and what undoes that; none where it took the old one's place.
    pub swap: Option<Swap>,
}

/// The log goes on in an epoch of its own; no session, and no token that was signed before, is taken any more. Tokens
/// can be of sessions that the backup does not know, so the keys go: the first service that starts makes a new one.
const CONSEQUENCES: [&str; 3] = [
    "UPDATE _fence SET epoch = epoch + 1, holder = NULL, until = '-infinity' WHERE name = 'sequencer'",
    "UPDATE sessions SET revoked_at = clock_timestamp(), version = version + 1 WHERE revoked_at IS NULL",
    "UPDATE signing_keys SET retired_at = clock_timestamp() WHERE retired_at IS NULL",
];

pub(crate) async fn settle(
    client: &Client,
    id: String,
    old: Old,
    known: Option<&Known>,
    swap: Option<Swap>,
) -> Result<Restored, BackupError> {
    client.batch_execute("BEGIN").await?;
    let mut changed = [0; 3];
    for (statement, count) in CONSEQUENCES.iter().zip(&mut changed) {
        *count = client.execute(*statement, &[]).await?;
    }
    let Revoked { rows: revoked, left, without_owner } = match known {
        Some(known) => revocations::apply(client, &known.folder).await?,
        None => Revoked::default(),
    };
    let epoch = client.query_one("SELECT epoch FROM _fence WHERE name = 'sequencer'", &[]).await?.get(0);
    client.batch_execute("COMMIT").await?;
    let loss = match known {
        Some(known) => Some(Loss::between(&fingerprint::counts(client).await?, &known.facts)),
        None => None,
    };
    let [_, sessions_ended, signing_keys_retired] = changed;
    Ok(Restored { id, epoch, sessions_ended, signing_keys_retired, old, revoked, left, without_owner, loss, swap })
}
