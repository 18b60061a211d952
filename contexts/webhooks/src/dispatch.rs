//! The dispatcher: claims what is due, sends it, and writes down what came of it.
//!
//! A delivery is leased in one short transaction, sent without any, and recorded with others in another one. Whoever
//! dies in between leaves a lease that runs out: the delivery is sent again, under the same `webhook-id`.

mod attempt;
mod counts;
mod resolver;
mod results;
mod sender;

pub(crate) use attempt::webhook_id;
pub use resolver::Lookup;

use crate::{Delivery, model::schedule::CIRCUIT_OPENS_AFTER, store::delivery_queue};
use api::App;
use attempt::Attempt;
use counts::Counts;
use db::{DbResult, Work};
use delivery_queue::ClaimRow;
use futures_util::future::join;
use sender::Sender;
use std::{error::Error, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Deliveries of a process that are being sent or recorded.
const IN_FLIGHT: usize = 512;
/// An organization's share of them: whatever its receivers do, the others' go on.
const OF_ORGANIZATION: i64 = 128;
/// Deliveries a claim.
const BATCH: usize = 200;
/// Without a wake-up in this process.
const POLL: Duration = Duration::from_millis(100);
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
        join(claiming, results::record(self, results)).await;
    }

    async fn claim_until(&self, stop: &CancellationToken, sending: &TaskTracker, done: mpsc::Sender<Done>) {
        let slots = Arc::new(Semaphore::new(IN_FLIGHT));
        while !stop.is_cancelled() {
            let wait = match self.claim(slots.available_permits()).await {
                Ok(claims) if claims.is_empty() => POLL,
                Ok(claims) => {
                    for claim in claims {
                        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { break };
                        let (this, done) = (self.clone(), done.clone());
                        sending.spawn(async move {
                            let attempt = attempt::run(&this, claim).await;
                            let _ = done.send(Done { attempt, _slot: slot }).await;
                        });
                    }
                    continue;
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn Error, "the dispatcher waits for the database");
                    stop.run_until_cancelled(sleep(RETRY)).await;
                    continue;
                }
            };
            stop.run_until_cancelled(timeout(wait, self.due.notified())).await;
        }
    }

    /// Leases what is due, as much as there are free slots.
    async fn claim(&self, free: usize) -> DbResult<Vec<ClaimRow>> {
        if free == 0 {
            return Ok(vec![]);
        }
        let limit = i64::try_from(free.min(BATCH)).unwrap_or_default();
        let tx = self.app.db.system(Work::Dispatch).await?;
        let now = self.app.clock.now();
        // One flight, two statements: the claim sees what whoever held the lock before has leased.
        let claim = delivery_queue::claim(&tx, now, limit, OF_ORGANIZATION, CIRCUIT_OPENS_AFTER);
        let (locked, claims) = join(delivery_queue::lock_claims(&tx), claim).await;
        locked?;
        let claims = claims?;
        tx.commit().await?;
        Ok(claims)
    }
}

/// An attempt that is to be recorded; until then it keeps its slot.
struct Done {
    attempt: Attempt,
    _slot: OwnedSemaphorePermit,
}
