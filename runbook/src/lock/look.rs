//! Whether the holder of a lock lives, judged by what is seen from here: clocks of other machines are not asked.

use super::{Lock, Record, Timing};
use crate::cluster::{AskError, ask_within};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use tokio::time::{Instant, sleep};

/// What became of a lock while it was looked at.
#[derive(Debug)]
pub(super) enum Seen {
    /// Nobody holds it, or its holder ended: known of this machine, or it was not renewed for its whole time to live.
    Free(Record),
    /// It was renewed, or its holder runs on this machine.
    Alive(Record),
}

/// As it is now.
pub(super) async fn read(api: &Api<Lease>, environment: &str, timing: Timing) -> Result<Record, AskError> {
    let lease = ask_within(timing.request, api.get_opt(environment)).await?;
    Ok(lease.map_or_else(|| Record::fresh(environment), |lease| Record::read(environment, lease)))
}

/// Looks until it is known, at most for a time to live after the last change. `tell` hears whom it waits for.
pub(super) async fn look(
    api: &Api<Lease>,
    environment: &str,
    timing: Timing,
    tell: &mut impl FnMut(&Record),
) -> Result<Seen, AskError> {
    let first = read(api, environment, timing).await?;
    // From when the answer is here: the record may be older than that, never younger.
    let since = Instant::now();
    let Some(held) = &first.held else { return Ok(Seen::Free(first)) };
    match held.process.as_ref().and_then(super::Process::is_alive) {
        Some(true) => return Ok(Seen::Alive(first)),
        Some(false) => return Ok(Seen::Free(first)),
        None => tell(&first),
    }
    loop {
        sleep(timing.look).await;
        let now = match read(api, environment, timing).await {
            Ok(now) => now,
            Err(error) if since.elapsed() > timing.ttl * 2 => return Err(error),
            Err(_) => continue,
        };
        if now.held.is_none() {
            return Ok(Seen::Free(now));
        }
        if now.version != first.version {
            return Ok(Seen::Alive(now));
        }
        if since.elapsed() >= timing.ttl {
            return Ok(Seen::Free(now));
        }
    }
}

/// Makes it `wanted`'s, unless somebody changed it since it was read.
pub(super) async fn write(api: &Api<Lease>, wanted: &Record, timing: Timing) -> Result<Record, AskError> {
    let lease = wanted.lease(timing.ttl);
    let parameters = kube::api::PostParams::default();
    let written = match &wanted.version {
        Some(_) => ask_within(timing.request, api.replace(&wanted.environment, &parameters, &lease)).await?,
        None => ask_within(timing.request, api.create(&parameters, &lease)).await?,
    };
    Ok(Record::read(&wanted.environment, written))
}

impl Lock {
    /// What an environment's lock says.
    pub(crate) async fn read(client: &kube::Client, environment: &str) -> Result<Record, crate::failure::Failure> {
        let found = read(&super::api(client), environment, Timing::of(super::TTL)).await;
        found.map_err(|error| error.about(&format!("the lock of {environment}")))
    }
}
