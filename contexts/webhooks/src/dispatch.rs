//! The dispatcher: claims what is due, sends it, and writes down what came of it.
//!
//! A delivery is leased in one short transaction, sent without any, and recorded with others in another one. Whoever
//! dies in between leaves a lease that runs out: the delivery is sent again, under the same `webhook-id`.

mod attempt;
mod counts;
mod resolver;
mod results;
mod sender;
mod slots;

pub(crate) use attempt::webhook_id;
pub use resolver::Lookup;

use crate::{
    DEADLINE, Delivery,
    model::schedule::CIRCUIT_OPENS_AFTER,
    store::{delivery_queue, endpoints},
};
use api::App;
use attempt::Attempt;
use counts::Counts;
use db::{DbResult, Work};
use delivery_queue::{BusyRow, ClaimRow};
use futures_util::future::{join, join3};
use sender::Sender;
use slots::{Rooms, Slot, Slots};
use std::{error::Error, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, mpsc},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use types::{EndpointId, OrgId, Uuid};

/// Deliveries of a process that are being sent or recorded.
const IN_FLIGHT: usize = 512;
/// A delivery that was claimed is nobody else's for so long, in seconds.
const LEASE_S: i32 = 30;
/// Whoever still sends has its lease, and as long again to record what came of it.
const _: () = assert!(2 * DEADLINE.as_secs() <= LEASE_S as u64);
/// Deliveries a claim.
const BATCH: usize = 200;
/// Endpoints that a claim serves, and how many it passes at most to find them.
const ENDPOINTS: usize = 64;
const WALK: i32 = 128;
/// Without a wake-up in this process.
const POLL: Duration = Duration::from_millis(100);
/// How often open circuits are counted.
const COUNT_EVERY: Duration = Duration::from_secs(10);
/// After an error of the database.
const RETRY: Duration = Duration::from_secs(1);

/// Sends what is due; a clone is the same one.
#[derive(Clone)]
pub(crate) struct Dispatcher {
    app: App,
    sender: Sender,
    counts: Counts,
    due: Arc<Notify>,
}

impl Dispatcher {
    pub(crate) fn new(app: App, delivery: Delivery, due: Arc<Notify>) -> Self {
        let counts = Counts::new(&app.metrics);
        Self { sender: Sender::new(delivery), app, counts, due }
    }

    /// Until told to stop; then what is being sent is finished and recorded.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        let (done, results) = mpsc::channel(IN_FLIGHT);
        let claiming = async {
            let sending = TaskTracker::new();
            self.claim_until(stop, &sending, done).await;
            sending.close();
            sending.wait().await;
        };
        let counting = stop.run_until_cancelled(self.count_circuits());
        join3(claiming, results::record(self, results), counting).await;
    }

    /// From the database, so that every process says the same, whoever opened or closed them.
    async fn count_circuits(&self) {
        loop {
            match self.circuits_open().await {
                Ok(count) => _ = self.counts.circuits_open.set(count),
                Err(error) => tracing::debug!(error = &error as &dyn Error, "open circuits are not counted"),
            }
            sleep(COUNT_EVERY).await;
        }
    }

    async fn circuits_open(&self) -> DbResult<i64> {
        let tx = self.app.db.system(Work::Dispatch).await?;
        let row = endpoints::circuits_open(&tx, CIRCUIT_OPENS_AFTER).await?;
        tx.commit().await?;
        Ok(row.count)
    }

    async fn claim_until(&self, stop: &CancellationToken, sending: &TaskTracker, done: mpsc::Sender<Done>) {
        let (slots, mut round) = (Slots::new(IN_FLIGHT), Round::default());
        while !stop.is_cancelled() {
            match self.claim(&mut round, &slots).await {
                Ok(Claimed { claims, more }) => {
                    for claim in claims {
                        let slot = slots.take(claim.org_id, claim.endpoint_id);
                        let (this, done) = (self.clone(), done.clone());
                        sending.spawn(async move {
                            let attempt = attempt::run(&this, claim).await;
                            let _ = done.send(Done { attempt, _slot: slot }).await;
                        });
                    }
                    if more {
                        continue;
                    }
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn Error, "the dispatcher waits for the database");
                    stop.run_until_cancelled(sleep(RETRY)).await;
                    continue;
                }
            }
            stop.run_until_cancelled(timeout(POLL, self.due.notified())).await;
        }
    }

    /// Leases what is due for the endpoints whose turn it is, as much as there are free slots.
    async fn claim(&self, round: &mut Round, slots: &Slots) -> DbResult<Claimed> {
        let free = slots.free().min(BATCH);
        if free == 0 {
            // The round stays where it is: else those who come first would be first each time.
            return Ok(Claimed::default());
        }
        let tx = self.app.db.system(Work::Dispatch).await?;
        let now = self.app.clock.now();
        let (from_the_first, (org, endpoint)) = (round.is_over(), round.after);
        let busy = delivery_queue::busy(&tx, org, endpoint, now, WALK).await?;
        let (orgs, ids) = round.next(&busy, |row| slots.has_room(row.org_id, row.endpoint_id));
        if ids.is_empty() {
            tx.commit().await?;
            return Ok(Claimed { claims: vec![], more: !round.is_over() });
        }
        let share = free.div_ceil(ids.len());
        let Rooms { of_endpoints, of_orgs } = slots.rooms(&orgs, &ids, share);
        // One flight, two statements: the claim sees what whoever held the lock before has leased.
        let limit = i64::try_from(free).unwrap_or_default();
        let claim =
            delivery_queue::claim(&tx, &orgs, &ids, &of_endpoints, &of_orgs, now, limit, CIRCUIT_OPENS_AFTER, LEASE_S);
        let (locked, claims) = join(delivery_queue::lock_claims(&tx), claim).await;
        locked?;
        let claims = claims?;
        tx.commit().await?;
        let took_all = if from_the_first { claims.len() < share } else { claims.is_empty() };
        Ok(Claimed { more: !round.is_over() || !took_all, claims })
    }
}

/// What a claim leased.
#[derive(Default)]
struct Claimed {
    claims: Vec<ClaimRow>,
    /// Whether another claim may find more: endpoints whose turn has not come, or that took a whole share.
    more: bool,
}

/// Where the turns have come to: with very many endpoints a claim looks at some of them, and the next one goes on there.
struct Round {
    after: (OrgId, EndpointId),
}

impl Default for Round {
    fn default() -> Self {
        Self { after: (OrgId(Uuid::nil()), EndpointId(Uuid::nil())) }
    }
}

impl Round {
    fn is_over(&self) -> bool {
        self.after.0.0.is_nil()
    }

    fn begin_again(&mut self) {
        *self = Self::default();
    }

    /// The endpoints whose turn it is, of those that have something queued and have room.
    fn next(&mut self, busy: &[BusyRow], has_room: impl Fn(&BusyRow) -> bool) -> (Vec<OrgId>, Vec<EndpointId>) {
        let is_end = busy.len() < usize::try_from(WALK).unwrap_or_default();
        let ready = busy.iter().filter(|row| row.ready && has_room(row));
        let (orgs, ids): (Vec<_>, Vec<_>) = ready.take(ENDPOINTS).map(|row| (row.org_id, row.endpoint_id)).unzip();
        let reached = if ids.len() == ENDPOINTS { orgs.last().copied().zip(ids.last().copied()) } else { None };
        match reached.or_else(|| busy.last().filter(|_| !is_end).map(|row| (row.org_id, row.endpoint_id))) {
            Some(reached) => self.after = reached,
            None => self.begin_again(),
        }
        (orgs, ids)
    }
}

/// An attempt that is to be recorded; until then it keeps its slot.
struct Done {
    attempt: Attempt,
    _slot: Slot,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(ids: std::ops::Range<u128>, ready: impl Fn(u128) -> bool) -> Vec<BusyRow> {
        let row = |id| BusyRow {
            org_id: OrgId(Uuid::from_u128(1)),
            endpoint_id: EndpointId(Uuid::from_u128(id)),
            ready: ready(id),
        };
        ids.map(row).collect()
    }

    #[test]
    fn few_endpoints_are_all_served_by_each_claim() {
        let mut round = Round::default();
        let (_, ids) = round.next(&rows(1..40, |id| id % 2 == 0), |_| true);
        assert_eq!((ids.len(), round.is_over()), (19, true));
        assert!(round.next(&[], |_| true).1.is_empty() && round.is_over());
    }

    #[test]
    fn of_many_endpoints_the_next_claim_serves_the_next() {
        let mut round = Round::default();
        let (_, ids) = round.next(&rows(1..101, |_| true), |_| true);
        assert_eq!((ids.len(), round.after.1.0.as_u128(), round.is_over()), (ENDPOINTS, 64, false));
        let (_, ids) = round.next(&rows(65..101, |_| true), |_| true);
        assert_eq!((ids.len(), round.is_over()), (36, true));
    }

    #[test]
    fn endpoints_that_may_get_nothing_are_passed() {
        let mut round = Round::default();
        let (_, ids) = round.next(&rows(1..129, |_| false), |_| true);
        assert_eq!((ids.len(), round.after.1.0.as_u128()), (0, 128));
        let (_, ids) = round.next(&rows(129..150, |_| true), |_| false);
        assert_eq!((ids.len(), round.is_over()), (0, true));
    }
}
