//! What does jobs: takes one at a time, of whichever organization, and does its steps.
//!
//! Several processes run one each. A job that is taken is locked by its lease, and by its row's lock while a step runs;
//! a worker that lost it finds out when it locks the row, before it does anything.

use super::{
    Held, Kind, Next, StepError,
    store::{self, ClaimedRow},
};
use crate::App;
use db::Work;
use std::{
    error::Error,
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Without a wake-up in this process.
const POLL: Duration = Duration::from_millis(500);
/// After this long a job gives way, so that another one gets its turn.
const SLICE: Duration = Duration::from_secs(2);
/// After an error, doubled with each that follows.
const RETRY: Duration = Duration::from_millis(500);
const MAX_RETRY: Duration = Duration::from_secs(8);

struct Worker {
    app: App,
    kinds: Vec<Kind>,
    stop: CancellationToken,
    holder: Uuid,
}

/// Does jobs of these kinds until told to stop, which it does between two steps.
pub async fn run(app: App, kinds: Vec<Kind>, stop: CancellationToken) {
    let holder = app.rng.uuid(app.clock.now());
    let worker = Worker { app, kinds, stop, holder };
    let mut retry = RETRY;
    while !worker.stop.is_cancelled() {
        match worker.turn().await {
            Ok(true) => retry = RETRY,
            Ok(false) => {
                retry = RETRY;
                let woken = timeout(POLL, worker.app.job());
                let _ = worker.stop.run_until_cancelled(woken).await;
            }
            Err(error) => {
                // Once for all that follow without a success between them.
                if retry == RETRY {
                    tracing::warn!(error = &*error as &dyn Error, "a job is tried again later");
                }
                worker.stop.run_until_cancelled(sleep(retry)).await;
                retry = MAX_RETRY.min(retry * 2);
            }
        }
    }
}

impl Worker {
    /// Some steps of one job; false: there was none.
    async fn turn(&self) -> Result<bool, StepError> {
        let Some((kind, held)) = self.claim().await? else { return Ok(false) };
        let start = Instant::now();
        loop {
            let begun = Instant::now();
            if (kind.step)(&self.app, &held).await? == Next::Ended {
                return Ok(true);
            }
            if self.stop.is_cancelled() || start.elapsed() > SLICE {
                self.release(&held).await?;
                return Ok(true);
            }
            // Half of the time is for everybody else.
            self.stop.run_until_cancelled(sleep(begun.elapsed())).await;
        }
    }

    async fn claim(&self) -> Result<Option<(Kind, Held)>, StepError> {
        let names: Vec<_> = self.kinds.iter().map(|kind| kind.name).collect();
        let tx = self.app.db.system(Work::Jobs).await?;
        let claimed = store::claim(&tx, self.holder, &names, self.app.clock.now()).await?;
        tx.commit().await?;
        let Some(ClaimedRow { org_id: org, id, kind, input }) = claimed else { return Ok(None) };
        let kind = self.kinds.iter().find(|known| known.name == kind);
        Ok(kind.map(|kind| (*kind, Held { org, id, input, holder: self.holder })))
    }

    async fn release(&self, held: &Held) -> Result<(), StepError> {
        let tx = self.app.db.begin(held.org).await?;
        store::release(&tx, held.org, held.id, held.holder).await?;
        Ok(tx.commit().await?)
    }
}
