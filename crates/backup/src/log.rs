//! Where the event log stood: what came after it is lost with a restore.

use crate::BackupError;
use migrate::Client;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where the event log was when the backup was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// Of its newest entry; 0 when it had none.
    pub position: i64,
    /// Events that waited in the outbox. The backup has them, and they enter the log after a restore.
    pub waiting: Vec<Uuid>,
}

impl Log {
    /// None before the migration that makes the log.
    pub(crate) async fn of(client: &Client) -> Result<Option<Self>, BackupError> {
        let is_there = "SELECT to_regclass('public.events') IS NOT NULL AND to_regclass('public.outbox') IS NOT NULL";
        if !client.query_one(is_there, &[]).await?.get::<_, bool>(0) {
            return Ok(None);
        }
        let newest = "SELECT coalesce(max(position), 0) FROM events";
        let position = client.query_one(newest, &[]).await?.get(0);
        let waiting = client.query("SELECT event_id FROM outbox ORDER BY id", &[]).await?;
        Ok(Some(Self { position, waiting: waiting.iter().map(|row| row.get(0)).collect() }))
    }
}
