//! Secrets and ConfigMaps that are mounted and not there.
//!
//! The kubelet shows such a pod as `ContainerCreating`, for ever, and says why only in `FailedMount` events. It tries
//! again for as long as the pod is there, so one that is made later still starts it; but whoever deploys has made it
//! before, and a rollout that needs somebody to make a secret is one that failed.

use super::{Cause, Seen, Sign};
use crate::clock;
use jiff::SignedDuration;

/// What the kubelet says of a missing object, or of a missing key in one.
const MISSING: [&str; 3] = [" not found", "references non-existent secret key", "references non-existent config key"];

pub(super) fn of(seen: &Seen<'_>) -> Option<Sign> {
    if seen.phase() != "Pending" || is_mounted(seen) {
        return None;
    }
    let (event, said) = seen.told("FailedMount").find(|(_, said)| is_missing(said))?;
    let what = said.split_once(" : ").map_or(said, |(_, rest)| rest).trim();
    Some(Sign {
        cause: Cause::MissingMount,
        evidence: format!("cannot be mounted: {what}{}", times(clock::count(event))),
        since: clock::first_seen(event).unwrap_or_else(|| seen.seen("event, seen")),
        patience: SignedDuration::ZERO,
        cure: format!("make it in namespace {}, or correct its name in the values", seen.namespace),
    })
}

/// The kubelet makes the pod's sandbox, and then pulls its images, once all is mounted: what it said before is over.
fn is_mounted(seen: &Seen<'_>) -> bool {
    let has_sandbox = seen.condition("PodReadyToStartContainers").is_some_and(|condition| condition.status == "True");
    has_sandbox || ["Pulling", "Pulled"].into_iter().any(|reason| seen.told(reason).next().is_some())
}

fn is_missing(said: &str) -> bool {
    let kind = said.contains("secret") || said.contains("configmap");
    // The kubelet's own cache is filled a moment later.
    kind && !said.contains("failed to sync ") && MISSING.iter().any(|words| said.contains(words))
}

fn times(count: i32) -> String {
    if count > 1 { format!(" ({count} times)") } else { String::new() }
}
