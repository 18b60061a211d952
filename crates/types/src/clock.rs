//! Where the time comes from: the system, or a test that moves it.

use crate::Timestamp;
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

/// The clock of schedules and expiries. Leases, sequencing and invalidations use PostgreSQL's own.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// Milliseconds since 1970.
    Virtual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until it is moved with [`Clock::advance`].
    pub fn stopped_at(start: Timestamp) -> Self {
        Self(Source::Virtual(Arc::new(AtomicI64::new(start.as_millis()))))
    }

    /// Now, to the millisecond.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::of_system(),
            Source::Virtual(millis) => Timestamp::from_millis(millis.load(Ordering::Relaxed)),
        }
    }

    /// Moves a stopped clock forward; the system's clock is left alone.
    pub fn advance(&self, by: std::time::Duration) {
        if let Source::Virtual(millis) = &self.0 {
            let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            millis.fetch_add(by, Ordering::Relaxed);
        }
    }
}
