//! One migrator at a time.

use crate::{Fence, UpError, fence};
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// The advisory lock of whoever migrates: the ASCII bytes of "eapmigrt".
const LOCK: i64 = 0x6561_706d_6967_7274;
/// How long to wait for another migrator.
pub(crate) const LOCK_WAIT: Duration = Duration::from_mins(10);

/// Waits until nobody else migrates; with a fence, no file of who holds an older one.
pub(crate) async fn begin(client: &Client, fence: Option<&Fence>) -> Result<(), UpError> {
    require_roles(client).await?;
    if let Some(fence) = fence {
        fence::raise_fence(client, fence).await?;
    }
    lock(client).await
}

/// Lets others migrate, whatever happened.
pub(crate) async fn end<T>(client: &Client, done: Result<T, UpError>) -> Result<T, UpError> {
    if done.is_err() {
        // Or what failed would be hidden behind "current transaction is aborted".
        let _ = client.batch_execute("ROLLBACK; RESET ALL").await;
    }
    let unlocked = client.query("SELECT pg_advisory_unlock($1)", &[&LOCK]).await;
    let done = done?;
    unlocked?;
    Ok(done)
}

/// Polls: a migrator that waits on the lock itself would deadlock with `CREATE INDEX CONCURRENTLY` of the one ahead.
async fn lock(client: &Client) -> Result<(), UpError> {
    let start = Instant::now();
    loop {
        let row = client
            .query_one(
                "SELECT pg_try_advisory_lock($1), (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                 AND (classid::bigint << 32 | objid::bigint) = $1 LIMIT 1)",
                &[&LOCK],
            )
            .await?;
        if row.try_get(0)? {
            return Ok(());
        }
        if start.elapsed() > LOCK_WAIT {
            return Err(UpError::Locked { pid: row.try_get::<_, Option<i32>>(1)?.unwrap_or_default() });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn require_roles(client: &Client) -> Result<(), UpError> {
    let missing = "SELECT name FROM unnest($1::text[]) WITH ORDINALITY AS known (name, place)
        WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) ORDER BY place";
    let rows = client.query(missing, &[&crate::roles::NAMES]).await?;
    let missing = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<&str>, _>>()?;
    if missing.is_empty() { Ok(()) } else { Err(UpError::NoRole(missing.join(", "))) }
}
