//! What came of attempts, written in batches: deliveries, attempts, and how their endpoints fare.

use super::{Dispatcher, Done, RETRY, attempt::Attempt};
use crate::{
    model::schedule::{CIRCUIT_OPENS_AFTER, DISABLE_AFTER},
    store::{
        delivery_queue,
        endpoints::{self, HealthRow},
    },
};
use db::{DbResult, SystemTx, Work};
use events::{Actor, Event, Kind};
use serde_json::json;
use std::{
    collections::BTreeMap,
    error::Error,
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, time::sleep};
use types::{EndpointId, OrgId, Timestamp};

/// Attempts a statement.
const BATCH: usize = 200;
/// Lets more results gather.
const GATHER: Duration = Duration::from_millis(4);
/// A database that is away for longer finds the results gone: the leases have run out, and the deliveries are sent again.
const PATIENCE: Duration = Duration::from_mins(1);

/// Until the last attempt is recorded and nobody can add one.
pub(super) async fn record(dispatcher: &Dispatcher, mut results: mpsc::Receiver<Done>) {
    let mut batch = Vec::with_capacity(BATCH);
    while results.recv_many(&mut batch, BATCH).await > 0 {
        if batch.len() < BATCH / 4 {
            sleep(GATHER).await;
            while batch.len() < BATCH
                && let Ok(more) = results.try_recv()
            {
                batch.push(more);
            }
        }
        let attempts: Vec<_> = batch.iter().map(|done| &done.attempt).collect();
        persist(dispatcher, &attempts).await;
        for attempt in attempts {
            dispatcher.counts.attempt(attempt.reply.failure.map_or("delivered", super::sender::Failure::as_str));
        }
        batch.clear();
        // Their endpoints have room again.
        dispatcher.due.notify_one();
    }
}

/// Tries until the database takes it, within reason.
async fn persist(dispatcher: &Dispatcher, attempts: &[&Attempt]) {
    let since = Instant::now();
    while let Err(error) = write(dispatcher, attempts).await {
        tracing::warn!(
            error = &error as &dyn Error,
            count = attempts.len(),
            "results of deliveries wait for the database"
        );
        if since.elapsed() > PATIENCE {
            return;
        }
        sleep(RETRY).await;
    }
}

async fn write(dispatcher: &Dispatcher, attempts: &[&Attempt]) -> DbResult<()> {
    let tx = dispatcher.app.db.system(Work::Dispatch).await?;
    write_attempts(&tx, attempts, dispatcher.app.clock.now()).await?;
    let tallies = tallies(attempts);
    let rows = if tallies.is_empty() { vec![] } else { write_health(dispatcher, &tx, &tallies).await? };
    tx.commit().await?;
    for row in rows {
        if row.circuit_opened {
            dispatcher.counts.circuits_opened.inc();
            tracing::warn!(organization = %row.org_id, endpoint = %row.id, failures = row.failures, "a circuit opened");
        }
        if !row.enabled {
            dispatcher.counts.disabled.inc();
        }
    }
    Ok(())
}

async fn write_attempts(tx: &SystemTx, attempts: &[&Attempt], now: Timestamp) -> DbResult<()> {
    macro_rules! column {
        ($value:expr) => {
            attempts.iter().map(|attempt| $value(*attempt)).collect::<Vec<_>>()
        };
    }
    let failure = |attempt: &Attempt| attempt.reply.failure.map(super::sender::Failure::as_str);
    delivery_queue::record(
        tx,
        &column!(|attempt: &Attempt| attempt.org),
        &column!(|attempt: &Attempt| attempt.delivery),
        &column!(|attempt: &Attempt| attempt.claims),
        &column!(|attempt: &Attempt| attempt.next),
        &column!(|attempt: &Attempt| attempt.at),
        &column!(|attempt: &Attempt| attempt.duration_ms),
        &column!(|attempt: &Attempt| attempt.reply.status.map(i32::from)),
        &column!(failure),
        &attempts.iter().map(|attempt| attempt.reply.text.as_deref()).collect::<Vec<_>>(),
        &column!(|attempt: &Attempt| attempt.circuit),
        now,
    )
    .await
}

/// How an endpoint fared in a batch.
#[derive(Default)]
struct Tally {
    succeeded: bool,
    /// Since the last success.
    failures: i32,
    quiet_until: Option<Timestamp>,
    gone: bool,
}

/// Of endpoints about which there is something to write: nothing of one that is well and was well.
fn tallies(attempts: &[&Attempt]) -> BTreeMap<(OrgId, EndpointId), Tally> {
    let mut tallies = BTreeMap::<_, Tally>::new();
    for attempt in attempts {
        let failed = attempt.reply.failure.is_some();
        if !failed && !attempt.was_failing && !tallies.contains_key(&(attempt.org, attempt.endpoint)) {
            continue;
        }
        let tally = tallies.entry((attempt.org, attempt.endpoint)).or_default();
        tally.gone |= attempt.gone;
        if failed {
            tally.failures += 1;
            tally.quiet_until = tally.quiet_until.max(attempt.quiet_until);
        } else {
            *tally = Tally { succeeded: true, gone: tally.gone, ..Tally::default() };
        }
    }
    tallies
}

/// Writes it, and tells the organizations whose endpoints are disabled now.
async fn write_health(
    dispatcher: &Dispatcher,
    tx: &SystemTx,
    tallies: &BTreeMap<(OrgId, EndpointId), Tally>,
) -> DbResult<Vec<HealthRow>> {
    let (app, now) = (&dispatcher.app, dispatcher.app.clock.now());
    let (orgs, ids): (Vec<_>, Vec<_>) = tallies.keys().copied().unzip();
    let succeeded: Vec<_> = tallies.values().map(|tally| tally.succeeded).collect();
    let failures: Vec<_> = tallies.values().map(|tally| tally.failures).collect();
    let quiet: Vec<_> = tallies.values().map(|tally| tally.quiet_until).collect();
    let gone: Vec<_> = tallies.values().map(|tally| tally.gone).collect();
    let (before, after) = (now.minus(DISABLE_AFTER), CIRCUIT_OPENS_AFTER);
    let rows = endpoints::fared(tx, &orgs, &ids, &succeeded, &failures, &quiet, &gone, now, before, after).await?;
    for row in rows.iter().filter(|row| !row.enabled) {
        let event = Event::new(Kind::EndpointDisabled, &Actor::SYSTEM, &app.clock, &app.rng).org(row.org_id);
        tx.emit(event.target(&row.id).data(json!({ "reason": row.disabled_reason })).into());
    }
    Ok(rows)
}
