//! How long a change waits for a busy table.

use rand::RngExt;
use std::time::{Duration, Instant};
use tokio_postgres::{Client, Error, error::SqlState};

/// Counts the attempts of one transaction. A change that waits for a lock of a busy table lets everyone behind it wait:
/// it gives up early and tries again.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    attempts: u32,
    since: Option<Instant>,
}

/// After so long somebody must look.
const LIMIT: Duration = Duration::from_mins(10);
const LONGEST: Duration = Duration::from_secs(20);

impl Patience {
    /// Opens each attempt. A server that does not look whether its client lives would go on with the statement of a
    /// migrator that was killed, and keep the next one waiting.
    pub(crate) const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '500ms'; SET LOCAL statement_timeout = '1h';
        SET LOCAL client_connection_check_interval = '2s'";

    /// Rolls a failed attempt back; the error, when another one would not help.
    pub(crate) async fn roll_back(&mut self, client: &Client, error: Error) -> Result<(), Error> {
        // If even that fails the session is gone, which the error says already.
        let _ = client.batch_execute("ROLLBACK; RESET ALL").await;
        let over = self.since.get_or_insert_with(Instant::now).elapsed() > LIMIT;
        // Whoever lost a deadlock may simply try again.
        let busy = [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED];
        if over || !error.code().is_some_and(|code| busy.contains(code)) { Err(error) } else { Ok(()) }
    }

    /// Returns when the next attempt may start: later each time, and not at the same moment as another's.
    pub(crate) async fn pause(&mut self) {
        let longest = Duration::from_millis(100 << self.attempts.min(10)).min(LONGEST);
        let part = rand::rng().random_range(0.5..1.0);
        tokio::time::sleep(longest.mul_f64(part)).await;
        self.attempts += 1;
    }
}
