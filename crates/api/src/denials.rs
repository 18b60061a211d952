//! Refused accesses, for the audit log: who was kept from what, and how often.
//!
//! A refusal writes nothing itself, or refusals would cost more than answers. Each caller and operation is told once at
//! once, and then at most once a minute with how often it happened; what is not told yet is told when the process stops,
//! and lost with it when it is killed.

use crate::Claims;
use db::{Db, DbResult};
use events::{Actor, Event, Kind};
use serde_json::json;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use types::{Clock, OrgId, PermissionName, RequestId, Rng, UserId};

/// How soon a first refusal is told.
const INTERVAL: Duration = Duration::from_millis(500);
/// From one telling of the same to the next.
const QUIET: Duration = Duration::from_mins(1);
/// More callers and operations at once are an attack that the metrics tell of.
const CAPACITY: usize = 10_000;

/// What was refused to whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Refused {
    org: OrgId,
    user: UserId,
    /// Method and route.
    operation: String,
    permission: PermissionName,
}

/// How often since it was told last.
#[derive(Debug)]
struct Count {
    times: u32,
    /// The newest.
    request: RequestId,
    told: Option<Instant>,
}

/// The refusals of this process. A clone is the same.
#[derive(Clone, Default)]
pub struct Denials(Arc<Mutex<HashMap<Refused, Count>>>);

impl Denials {
    /// Somebody lacks a permission.
    pub(crate) fn note(&self, claims: &Claims, org: OrgId, operation: String, lacks: PermissionName, by: RequestId) {
        let refused = Refused { org, user: claims.sub, operation, permission: lacks };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() < CAPACITY || counts.contains_key(&refused) {
            let count = counts.entry(refused).or_insert(Count { times: 0, request: by, told: None });
            count.times = count.times.saturating_add(1);
            count.request = by;
        }
    }

    /// Tells until told to stop, and then the rest.
    pub async fn run(self, db: Db, clock: Clock, rng: Rng, stop: CancellationToken) {
        while stop.run_until_cancelled(sleep(INTERVAL)).await.is_some() {
            self.tell(&db, &clock, &rng, QUIET).await;
        }
        self.tell(&db, &clock, &rng, Duration::ZERO).await;
    }

    /// Writes what is due; what cannot be written waits on.
    async fn tell(&self, db: &Db, clock: &Clock, rng: &Rng, quiet: Duration) {
        for (refused, times, request) in self.due(Instant::now(), quiet) {
            if let Err(error) = write(db, clock, rng, &refused, times, request).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "refused accesses wait for the database");
                return;
            }
            self.told(&refused, times, Instant::now());
        }
    }

    fn due(&self, now: Instant, quiet: Duration) -> Vec<(Refused, u32, RequestId)> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_quiet = |count: &Count| count.told.is_none_or(|told| now.duration_since(told) >= quiet);
        counts.retain(|_, count| count.times > 0 || !is_quiet(count));
        let due = counts.iter().filter(|(_, count)| count.times > 0 && is_quiet(count));
        due.map(|(refused, count)| (refused.clone(), count.times, count.request)).collect()
    }

    fn told(&self, refused: &Refused, times: u32, now: Instant) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(refused) {
            count.times -= times;
            count.told = Some(now);
        }
    }
}

async fn write(db: &Db, clock: &Clock, rng: &Rng, refused: &Refused, times: u32, by: RequestId) -> DbResult<()> {
    let tx = db.begin(refused.org).await?;
    let data = json!({ "operation": refused.operation, "permission": refused.permission.as_str(), "times": times });
    let event = Event::new(Kind::AccessDenied, &Actor::user(refused.user), clock, rng).org(refused.org);
    tx.emit(event.request(Some(by)).data(data).into());
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn the_same_is_told_at_once_and_then_once_a_minute_with_its_count() {
        let denials = Denials::default();
        let (request, start) = (RequestId(Uuid::nil()), Instant::now());
        let refused = Refused {
            org: OrgId(Uuid::nil()),
            user: UserId(Uuid::nil()),
            operation: "GET /v1/x".to_owned(),
            permission: PermissionName::ReadAudit,
        };
        let happens = || {
            let mut counts = denials.0.lock().unwrap();
            counts.entry(refused.clone()).or_insert(Count { times: 0, request, told: None }).times += 1;
        };
        happens();
        assert_eq!(denials.due(start, QUIET)[0].1, 1);
        denials.told(&refused, 1, start);
        happens();
        happens();
        assert!(denials.due(start + QUIET / 2, QUIET).is_empty());
        assert_eq!(denials.due(start + QUIET, QUIET)[0].1, 2);
        denials.told(&refused, 2, start + QUIET);
        assert!(denials.due(start + QUIET * 2, QUIET).is_empty());
        assert!(denials.0.lock().unwrap().is_empty(), "what nobody does any more is forgotten");
    }
}
