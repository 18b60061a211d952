//! Whether the process lives, may take traffic, and how it is: bodies as in the runbook. Checks run in the background;
//! a probe only reads what the last one found.

mod process;
mod routes;

pub use routes::routes;

use crate::Metrics;
use db::Db;
use process::Usage;
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;
use types::Clock;

const INTERVAL: Duration = Duration::from_secs(1);
/// Sooner while something is away, so that its return is seen soon.
const INTERVAL_AWAY: Duration = Duration::from_millis(250);
/// A shorter absence is answered request by request; a longer one takes the process out of rotation.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the checks have found. A clone is the same.
#[derive(Clone)]
pub struct Health(Arc<Inner>);

struct Inner {
    version: String,
    clock: Clock,
    started: Instant,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    database: Database,
    usage: Usage,
    /// Why the process takes no traffic although its dependencies are there.
    held: Option<String>,
    /// For good: whatever else is settled afterwards.
    drains: bool,
}

#[derive(Clone, Copy, Default)]
struct Database {
    /// Of the last ping; none: it failed, or there was none yet.
    latency: Option<Duration>,
    last_seen: Option<Instant>,
}

/// How the process is as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Healthy,
    /// The database is away, but not for long.
    Degraded,
    Unhealthy,
}

impl Health {
    /// Nothing checked yet: alive, not ready.
    pub fn new(version: &str, clock: Clock) -> Self {
        let (version, started) = (version.to_owned(), Instant::now());
        Self(Arc::new(Inner { version, clock, started, state: RwLock::default() }))
    }

    /// Takes no traffic from now on: the process is stopping.
    pub fn drain(&self) {
        self.change(|state| {
            state.drains = true;
            state.held = Some("the process is stopping".to_owned());
        });
    }

    /// Takes no traffic while the reason lasts, as when the schema is older than this version needs.
    pub fn hold(&self, reason: &str) {
        self.change(|state| state.held = Some(reason.to_owned()).filter(|_| !state.drains).or(state.held.take()));
    }

    /// The reason is gone.
    pub fn release(&self) {
        self.change(|state| state.held = state.held.take().filter(|_| state.drains));
    }

    /// Why no traffic may come although the dependencies are there, as far as anybody said.
    pub fn reason(&self) -> Option<String> {
        self.0.state.read().unwrap_or_else(PoisonError::into_inner).held.clone()
    }

    /// Whether traffic may come.
    pub fn is_ready(&self) -> bool {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        state.held.is_none() && state.database.condition(Instant::now()) != Condition::Unhealthy
    }

    /// Checks until shutdown.
    pub async fn run(self, db: Db, metrics: Metrics, shutdown: CancellationToken) {
        let check = async {
            loop {
                let wait = self.check(&db, &metrics).await;
                tokio::time::sleep(wait).await;
            }
        };
        shutdown.run_until_cancelled(check).await;
    }

    /// One round; how long until the next.
    async fn check(&self, db: &Db, metrics: &Metrics) -> Duration {
        let ping = db.ping().await;
        let now = Instant::now();
        metrics.dependency("database", ping.is_ok());
        metrics.pool(db);
        let wait = if ping.is_ok() { INTERVAL } else { INTERVAL_AWAY };
        let was_there = self.change(|state| {
            let was_there = state.database.latency.is_some();
            state.database.saw(ping.as_ref().ok().copied(), now);
            state.usage = Usage::since(&state.usage, now);
            was_there
        });
        match ping {
            Err(error) if was_there => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the database went away");
            }
            Ok(_) if !was_there => tracing::info!("the database answers"),
            _ => {}
        }
        wait
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.state.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Database {
    fn saw(&mut self, latency: Option<Duration>, now: Instant) {
        self.latency = latency;
        if latency.is_some() {
            self.last_seen = Some(now);
        }
    }

    fn condition(&self, now: Instant) -> Condition {
        match (self.latency, self.last_seen) {
            (Some(_), _) => Condition::Healthy,
            (None, Some(seen)) if now.duration_since(seen) <= PATIENCE => Condition::Degraded,
            _ => Condition::Unhealthy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_absence_of_the_database_degrades_and_a_long_one_is_unhealthy() {
        let start = Instant::now();
        let mut database = Database::default();
        assert_eq!(database.condition(start), Condition::Unhealthy);
        database.saw(Some(Duration::from_millis(1)), start);
        assert_eq!(database.condition(start), Condition::Healthy);
        database.saw(None, start + Duration::from_secs(1));
        assert_eq!(database.condition(start + PATIENCE), Condition::Degraded);
        assert_eq!(database.condition(start + PATIENCE + INTERVAL), Condition::Unhealthy);
    }

    #[test]
    fn a_draining_process_takes_no_traffic() {
        let health = Health::new("1.2.3", Clock::system());
        assert!(!health.is_ready());
        health.change(|state| state.database.saw(Some(Duration::ZERO), Instant::now()));
        assert!(health.is_ready());
        health.hold("the schema is older than this version needs");
        assert!(!health.is_ready());
        health.release();
        health.drain();
        health.release();
        assert!(!health.is_ready());
    }
}
