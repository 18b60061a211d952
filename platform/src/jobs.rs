//! What runs beside the requests: readiness, the sequencer, revocations, organizations' jobs, upkeep.

use crate::{Retention, Service, schema};
use anyhow::Result;
use api::{App, Health};
use db::{Db, DbResult, Done, SystemTx, Work, sql};
use events::{Sequencer, partitions};
use identity::Identity;
use std::{error::Error, time::Duration};
use tokio::time::sleep;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use types::{Timestamp, Uuid};
use webhooks::Webhooks;

/// How soon a schema, a database or a key that is not there yet is looked for again.
const AGAIN: Duration = Duration::from_secs(2);
const HEARTBEAT: Duration = Duration::from_secs(30);
const UPKEEP: Duration = Duration::from_hours(1);
const PARTITIONS_AHEAD_DAYS: i32 = 7;

sql! {
    /// This process runs.
    pub fn beat(tx: SystemTx, id: Uuid, service: &str, version: &str, schema_needs: &str) -> exec Done =
        "INSERT INTO instances (id, service, version, schema_needs, seen_at) VALUES ($1, $2, $3, $4, clock_timestamp())
         ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp()";

    /// This process ends.
    pub fn gone(tx: SystemTx, id: Uuid) -> exec Done = "DELETE FROM instances WHERE id = $1";

    /// Processes that ended without saying so.
    pub fn erase_instances(tx: SystemTx) -> exec Done =
        "DELETE FROM instances WHERE seen_at < clock_timestamp() - interval '1 day'";

    /// Revocations of tokens that have all expired.
    pub fn erase_invalidations(tx: SystemTx) -> exec Done =
        "DELETE FROM invalidations WHERE at < clock_timestamp() - interval '1 hour'";

    /// Answers that are no longer repeated.
    pub fn erase_idempotency_keys(tx: SystemTx, before: Timestamp) -> exec Done =
        "DELETE FROM idempotency_keys WHERE created_at < $1";

    /// Registrations that nobody proved.
    pub fn erase_registrations(tx: SystemTx, now: Timestamp) -> exec Done =
        "DELETE FROM pending_registrations WHERE expires_at < $1";

    /// Jobs that finished long ago.
    pub fn erase_jobs(tx: SystemTx, before: Timestamp) -> exec Done = "DELETE FROM jobs WHERE finished_at < $1";

    /// Sessions that ended long ago.
    pub fn erase_sessions(tx: SystemTx, before: Timestamp) -> exec Done = "DELETE FROM sessions WHERE expires_at < $1";
}

/// Starts everything that runs beside the requests of these services, but for [`upkeep`].
pub(crate) fn spawn(
    (identity, webhooks): (&Identity, &Webhooks),
    database_url: &str,
    health: &Health,
    services: &[Service],
    stop: &CancellationToken,
) -> TaskTracker {
    let app = identity.app.clone();
    let tasks = TaskTracker::new();
    tasks.spawn(health.clone().run(app.db.clone(), app.metrics.clone(), stop.clone()));
    tasks.spawn(app.revocations.clone().run(stop.clone()));
    tasks.spawn(until(stop.clone(), prepare(identity.clone(), database_url.to_owned(), health.clone())));
    let follow = identity.keys.clone().follow(app.db.clone(), app.tokens.clone(), stop.clone());
    tasks.spawn(follow);
    tasks.spawn(api::smoke::sweep(app.clone(), stop.clone()));
    let denials = app.denials.clone();
    tasks.spawn(denials.run(app.db.clone(), app.clock.clone(), app.rng.clone(), stop.clone()));
    tasks.spawn(instance(app.clone(), services.to_vec(), stop.clone()));
    if services.contains(&Service::Auth) {
        tasks.spawn(identity::jobs(identity.clone(), stop.clone()));
    }
    if services.contains(&Service::Org) {
        tasks.spawn(api::jobs::run(app.clone(), resources::JOBS.to_vec(), stop.clone()));
        tasks.spawn(webhooks::jobs(webhooks.clone(), stop.clone()));
    }
    tasks.spawn(Sequencer::new(&app.clock, &app.rng).run(app.db.clone(), stop.clone()));
    tasks
}

async fn until(stop: CancellationToken, work: impl Future<Output = ()>) {
    stop.run_until_cancelled(work).await;
}

/// Not ready until the login may serve, the schema is new enough and the keys are read.
async fn prepare(identity: Identity, database_url: String, health: Health) {
    let db = &identity.app.db;
    loop {
        let reason = match ready(&identity, &database_url).await {
            Ok(None) => return health.release(),
            Ok(Some(reason)) => reason,
            Err(error) => format!("{error:#}"),
        };
        tracing::warn!(reason, "not ready");
        health.hold(&reason);
        sleep(AGAIN).await;
        let _ = db.ping().await;
    }
}

/// Also the login: a database that was away when `serve` looked may let in one that sees every organization.
async fn ready(identity: &Identity, database_url: &str) -> Result<Option<String>> {
    if let Some(problem) = migrate::login_problem(&migrate::connect(database_url).await?).await? {
        return Ok(Some(problem.to_string()));
    }
    if let Some(problem) = schema::problem(&identity.app.db).await? {
        return Ok(Some(problem));
    }
    identity.keys.load(&identity.app.db).await?;
    Ok(None)
}

/// Says every half minute that this process runs: migrations look at it.
async fn instance(app: App, services: Vec<Service>, stop: CancellationToken) {
    let id = app.rng.uuid(app.clock.now());
    let service =
        if services.len() == Service::ALL.len() { "all" } else { services.first().map_or("", |one| one.as_str()) };
    loop {
        let version = env!("CARGO_PKG_VERSION");
        log(alone(&app.db, Work::Instances, async |tx| beat(tx, id, service, version, schema::needs()).await).await);
        if stop.run_until_cancelled(sleep(HEARTBEAT)).await.is_none() {
            log(alone(&app.db, Work::Instances, async |tx| gone(tx, id).await).await);
            return;
        }
    }
}

/// What is past its time goes; what is needed tomorrow is made. The same in several processes does no harm.
pub(crate) async fn upkeep(app: App, retention: Retention, stop: CancellationToken) {
    until(stop, keep_up(app, retention)).await;
}

async fn keep_up(app: App, retention: Retention) {
    loop {
        let done = alone(&app.db, Work::Retention, async |tx| {
            let now = app.clock.now();
            partitions::ensure(tx, "events", PARTITIONS_AHEAD_DAYS).await?;
            partitions::ensure(tx, "analytics_events", PARTITIONS_AHEAD_DAYS).await?;
            erase_instances(tx).await?;
            erase_invalidations(tx).await?;
            erase_idempotency_keys(tx, now.minus(Duration::from_hours(24))).await?;
            erase_registrations(tx, now).await?;
            erase_jobs(tx, now.minus(Duration::from_hours(30 * 24))).await?;
            erase_sessions(tx, now.minus(Duration::from_hours(30 * 24))).await
        });
        let done = match done.await {
            Ok(()) => Box::pin(erase_in_parts(&app)).await,
            failed => failed,
        };
        for (parent, days) in [("events", retention.events), ("analytics_events", retention.analytics)] {
            drop_old(&app, parent, days).await;
        }
        let wait = if done.is_ok() { UPKEEP } else { HEARTBEAT };
        log(done);
        sleep(wait).await;
    }
}

/// What comes in such numbers that it goes in transactions of its own.
async fn erase_in_parts(app: &App) -> DbResult<()> {
    webhooks::erase(&app.db, app.clock.now()).await?;
    analytics::forget_messages(app).await
}

/// In a transaction of its own: it may have to wait for readers, and then tries again at the next turn.
async fn drop_old(app: &App, parent: &str, days: Option<u32>) {
    let Some(days) = days.and_then(|days| i32::try_from(days).ok()) else { return };
    log(alone(&app.db, Work::Retention, async |tx| partitions::drop(tx, parent, days).await.map(drop)).await);
}

async fn alone(db: &Db, work: Work, run: impl AsyncFnOnce(&SystemTx) -> DbResult<()>) -> DbResult<()> {
    let tx = db.system(work).await?;
    run(&tx).await?;
    tx.commit().await
}

fn log(done: DbResult<()>) {
    if let Err(error) = done {
        tracing::debug!(error = &error as &dyn Error, "upkeep waits for the database");
    }
}
