//! How long a change waits for a busy table.

use std::time::Duration;
use tokio_postgres::{Client, Error, error::SqlState};

/// Counts the attempts of one transaction. A change that waits for a lock of a busy table lets everyone behind it wait:
/// it gives up early and tries again.
#[derive(Debug, Default)]
pub(crate) struct Patience(u32);

const ATTEMPTS: u32 = 10;

impl Patience {
    /// Opens each attempt. A server that does not look whether its client lives would go on with the statement of a
    /// migrator that was killed, and keep the next one waiting.
    pub(crate) const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '500ms'; SET LOCAL statement_timeout = '1h';
        SET LOCAL client_connection_check_interval = '2s'";

    /// Rolls a failed attempt back and returns when the next one may start; the error, when that would not help.
    pub(crate) async fn again(&mut self, client: &Client, error: Error) -> Result<(), Error> {
        // If even that fails the session is gone, which the error says already.
        let _ = client.batch_execute("ROLLBACK").await;
        if error.code() != Some(&SqlState::LOCK_NOT_AVAILABLE) || self.0 == ATTEMPTS {
            return Err(error);
        }
        tracing::info!(attempt = self.0, "a table is busy: waits for its lock, tries again");
        tokio::time::sleep(Duration::from_millis(100 << self.0.min(6))).await;
        self.0 += 1;
        Ok(())
    }
}
