//! The table `smoke_catches`: mails and webhooks of synthetic accounts, sealed, for ten minutes.

use crate::App;
use db::{
    DbResult, Done, SystemTx, row,
    secrets::{Place, SecretError},
    sql,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use types::Timestamp;

/// How long what was caught can be read.
pub(super) const KEPT: Duration = Duration::from_mins(10);

row! {
    /// Something caught.
    pub(crate) struct CatchRow { sealed: Vec<u8>, at: Timestamp }
}

sql! {
    /// One more.
    pub fn insert(tx: SystemTx, kind: &str, name: &str, sealed: &[u8], now: Timestamp) -> exec Done =
        "INSERT INTO smoke_catches (kind, name, sealed, at) VALUES ($1, $2, $3, $4)";

    /// What an address or a hook caught, oldest first.
    pub fn of(tx: SystemTx, kind: &str, name: &str, since: Timestamp) -> all CatchRow =
        "SELECT sealed, at FROM smoke_catches WHERE kind = $1 AND name = $2 AND at > $3 ORDER BY id LIMIT 100";

    /// What is past its time.
    pub fn erase(tx: SystemTx, before: Timestamp) -> exec Done = "DELETE FROM smoke_catches WHERE at < $1";
}

/// What was caught, and when.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Caught {
    pub(super) at: Timestamp,
    pub(super) content: Value,
}

const fn place(kind: &str) -> Place<'_> {
    Place { table: "smoke_catches", column: "sealed", row: kind }
}

/// Keeps a mail to a synthetic account instead of sending it.
pub async fn keep_mail(app: &App, tx: &SystemTx, address: &str, content: &Value) -> DbResult<()> {
    keep(app, tx, "mail", &address.to_lowercase(), content).await
}

pub(super) async fn keep(app: &App, tx: &SystemTx, kind: &str, name: &str, content: &Value) -> DbResult<()> {
    let sealed = app.secrets.seal(&app.rng, place(kind), content.to_string().as_bytes());
    insert(tx, kind, name, &sealed, app.clock.now()).await
}

/// Opens what was caught.
pub(super) fn open(app: &App, kind: &str, row: &CatchRow) -> Result<Caught, SecretError> {
    let plain = app.secrets.open(place(kind), &row.sealed)?;
    Ok(Caught { at: row.at, content: serde_json::from_slice(&plain).unwrap_or_default() })
}
