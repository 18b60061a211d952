//! Taking a lock from a holder who hangs.

use super::{Held, Holder, Record, Seen, TTL, Timing, api, look};
use crate::{cluster::AskError, failure::Failure, time};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use tokio::time::sleep;

/// Takes the lock from whoever has it, and gives it back when that one has surely seen it. `is_pending`: helm's newest
/// revision says that helm is at work; then only a holder who does not live any more is robbed. `tell` hears whom it
/// waits for. Whose it was; none: nobody's.
///
/// # Errors
///
/// Refused: helm may be at work for a holder who lives.
pub(crate) async fn steal(
    client: &Client,
    environment: &str,
    holder: &Holder,
    reason: &str,
    is_pending: bool,
    tell: impl FnMut(&Record),
) -> Result<Option<Record>, Failure> {
    steal_within(&api(client), environment, (holder, reason), is_pending, Timing::of(TTL), tell).await
}

pub(super) async fn steal_within(
    api: &Api<Lease>,
    environment: &str,
    (holder, reason): (&Holder, &str),
    is_pending: bool,
    timing: Timing,
    mut tell: impl FnMut(&Record),
) -> Result<Option<Record>, Failure> {
    let about = |error: &AskError| error.about(&format!("the lock of {environment}"));
    let record = if is_pending {
        match look::look(api, environment, timing, &mut tell).await.map_err(|error| about(&error))? {
            Seen::Free(record) => record,
            Seen::Alive(record) => return Err(at_work(&record)),
        }
    } else {
        look::read(api, environment, timing).await.map_err(|error| about(&error))?
    };
    let Some(before) = record.held.clone() else { return Ok(None) };
    let now = time::now();
    let mine = Held { reason: Some(reason.to_owned()), ..Held::new(holder, now) };
    let stolen = Some(format!("by {}, {now}, from {}: {reason}", holder.by, before.by));
    let mine = Record { held: Some(mine), token: record.token + 1, stolen, ..record.clone() };
    let mut mine = written(api, mine, &before, timing).await?;
    let is_dead = before.process.as_ref().and_then(super::Process::is_alive) == Some(false);
    if !is_pending && !is_dead {
        // Until then it has seen it, or has not renewed for so long that it stopped by itself.
        tell(&record);
        sleep(timing.ttl).await;
    }
    mine.held = None;
    look::write(api, &mine, timing).await.map_err(|error| about(&error))?;
    Ok(Some(record))
}

/// The holder renews meanwhile, so the record is read again until nobody came between; another holder is not robbed.
async fn written(api: &Api<Lease>, mut mine: Record, before: &Held, timing: Timing) -> Result<Record, Failure> {
    let environment = mine.environment.clone();
    let about = |error: &AskError| error.about(&format!("the lock of {environment}"));
    loop {
        match look::write(api, &mine, timing).await {
            Ok(record) => return Ok(record),
            Err(AskError::Conflict) => {}
            Err(error) => return Err(about(&error)),
        }
        let now = look::read(api, &environment, timing).await.map_err(|error| about(&error))?;
        if now.held.as_ref().is_some_and(|held| held.identity != before.identity) {
            return Err(Failure::refused(format!("meanwhile another one took it: {now}")));
        }
        mine = Record { token: now.token + 1, version: now.version, ..mine };
    }
}

fn at_work(record: &Record) -> Failure {
    let run = record.held.as_ref().map_or("RUN", |held| &held.run);
    Failure::refused(format!("{record}; helm is at work for it"))
        .because("helm's newest revision is pending, and two helms at work leave a release that neither of them knows")
        .cured_by(format!("runbook attach {run}"))
}
