//! The consumer `webhooks` of the event log: what happened becomes deliveries, in the transaction that moves its cursor.

use crate::{
    Webhooks,
    model::{
        event_type,
        payload::{self, Payload},
    },
    store::messages,
};
use db::{DbResult, Work};
use events::{Kind, LoggedEvent, read_after};
use std::{error::Error, time::Duration};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use types::{MessageId, OrgId, Uuid};

const CONSUMER: &str = "webhooks";
/// Events a turn.
const BATCH: i64 = 1_000;
/// Without a wake-up in this process.
const POLL: Duration = Duration::from_millis(100);
/// After an error of the database.
const RETRY: Duration = Duration::from_secs(1);

/// Until told to stop.
pub(crate) async fn run(webhooks: &Webhooks, stop: &CancellationToken) {
    let mut log_grows = webhooks.app.db.log_grows();
    while !stop.is_cancelled() {
        log_grows.mark_unchanged();
        let wait = match turn(webhooks).await {
            Ok(true) => continue,
            Ok(false) => POLL,
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "webhooks wait for the database");
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        stop.run_until_cancelled(timeout(wait, log_grows.changed())).await;
    }
}

/// One batch; whether it was a full one.
async fn turn(webhooks: &Webhooks) -> DbResult<bool> {
    let tx = webhooks.app.db.system(Work::Dispatch).await?;
    let events = read_after(&tx, CONSUMER, BATCH).await?;
    let is_full = events.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
    let arrived = Arrived::of(&events);
    if !arrived.ids.is_empty() {
        let Arrived { orgs, ids, types, bodies } = &arrived;
        messages::fan_out(&tx, orgs, ids, types, bodies, webhooks.app.clock.now()).await?;
    }
    tx.commit().await?;
    if !arrived.ids.is_empty() {
        webhooks.due.notify_one();
    }
    Ok(is_full)
}

/// What endpoints may want of a batch, as columns.
#[derive(Default)]
struct Arrived<'a> {
    orgs: Vec<OrgId>,
    ids: Vec<Uuid>,
    types: Vec<&'a str>,
    bodies: Vec<Option<String>>,
}

impl<'a> Arrived<'a> {
    fn of(events: &'a [LoggedEvent]) -> Self {
        let told: Vec<_> = event_type::told().map(Kind::as_str).collect();
        let mut arrived = Self::default();
        for event in events {
            let Some(org) = event.org_id else { continue };
            if event.kind == Kind::MessageCreated.as_str() {
                let message = event.target.as_deref().and_then(|target| target.parse::<MessageId>().ok());
                let Some(message) = message else { continue };
                arrived.push(org, message.0, &event.kind, None);
            } else if told.contains(&&*event.kind) {
                arrived.push(org, event.id.0, &event.kind, Some(body(event, org)));
            }
        }
        arrived
    }

    fn push(&mut self, org: OrgId, id: Uuid, of: &'a str, body: Option<String>) {
        self.orgs.push(org);
        self.ids.push(id);
        self.types.push(of);
        self.bodies.push(body);
    }
}

fn body(event: &LoggedEvent, organization_id: OrgId) -> String {
    let id = event.id.to_string();
    let mut data = payload::told(event.data.clone());
    if let (Some(members), Some(target)) = (data.as_object_mut(), &event.target) {
        members.entry("id").or_insert_with(|| target.clone().into());
    }
    Payload { id: &id, of: &event.kind, timestamp: event.at, organization_id, actor: &event.actor, data: &data }.text()
}
