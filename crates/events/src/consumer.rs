//! Reading the event log past a cursor that moves in the transaction of the effects.

use db::{DbResult, SystemTx, row, sql};
use serde_json::Value;
use types::{EventId, OrgId, Timestamp, UserId};

pub(crate) const STATEMENTS: &[db::Sql] = statements::ALL;

row! {
    /// An entry of the log, as a consumer sees it: without request, and without personal values.
    #[derive(Debug, Clone)]
    pub struct LoggedEvent {
        sequenced_at: Timestamp,
        position: i64,
        id: EventId,
        kind: String,
        org_id: Option<OrgId>,
        user_id: Option<UserId>,
        actor: Value,
        target: Option<String>,
        data: Value,
        at: Timestamp,
    }
}
row! {
    /// How far a consumer has read.
    #[derive(Debug, Clone, Copy)]
    pub struct Cursor { sequenced_at: Timestamp, position: i64 }
}

sql! {
    /// Makes the cursor of a new consumer, at the log's beginning. Looks first: ON CONFLICT alone would wait for whoever
    /// is moving the cursor just now.
    pub fn register(tx: SystemTx, name: &str) -> exec db::Done =
        "INSERT INTO consumers (name, sequenced_at, position) SELECT $1, '2000-01-01', 0
         WHERE NOT EXISTS (SELECT FROM consumers WHERE name = $1) ON CONFLICT (name) DO NOTHING";

    /// The cursor, locked; none: another process reads with it just now.
    pub fn lock(tx: SystemTx, name: &str) -> opt Cursor =
        "SELECT sequenced_at, position FROM consumers WHERE name = $1 FOR UPDATE SKIP LOCKED";

    /// What follows a cursor. Bounded by time as well as by position, so that only partitions that can matter are read.
    pub fn following(tx: SystemTx, sequenced_at: Timestamp, position: i64, limit: i64) -> all LoggedEvent =
        "SELECT sequenced_at, position, id, kind, org_id, user_id, actor, target, data, at FROM events
         WHERE sequenced_at >= $1 AND position > $2 ORDER BY sequenced_at, position LIMIT $3";

    /// Moves the cursor.
    pub fn advance(tx: SystemTx, name: &str, sequenced_at: Timestamp, position: i64) -> exec db::Done =
        "UPDATE consumers SET sequenced_at = $2, position = $3 WHERE name = $1";
}

/// The next events of a consumer, and its cursor moved past them: commit with the effects, and each happens once.
pub async fn read_after(tx: &SystemTx, consumer: &str, limit: i64) -> DbResult<Vec<LoggedEvent>> {
    register(tx, consumer).await?;
    let Some(cursor) = lock(tx, consumer).await? else { return Ok(Vec::new()) };
    let events = following(tx, cursor.sequenced_at, cursor.position, limit).await?;
    if let Some(last) = events.last() {
        advance(tx, consumer, last.sequenced_at, last.position).await?;
    }
    Ok(events)
}
