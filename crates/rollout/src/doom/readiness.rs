//! Pods that run and never get ready.
//!
//! Nothing in the API tells a program that will never be ready from one that is slow, and taking back a healthy rollout
//! is worse than waiting half a minute longer. So a pod is given up only when all of this holds:
//!
//! - It runs, its startup probe (if any) has passed, and it **was never ready** since this start. One that was, and is
//!   not any more, has lost something that it needs; that may come back, and the Deployment's deadline is for it.
//! - **No other pod of the newest ReplicaSet is ready.** If one is, the version can be, and the cause is elsewhere.
//! - Where older ReplicaSets have pods, **one of those is ready.** If none is, all have lost what they need.
//! - Its readiness probe got a **definite answer** at least `failureThreshold` times and at least 3 times in this start:
//!   an HTTP status, `NOT_SERVING`, a command that failed; a refused connection only after a startup probe has passed,
//!   for before that it is what a slow start looks like. A probe that timed out says only that the program is busy.
//! - It was given **time enough**: `initialDelaySeconds` and then 30 s where a startup probe stood in for the slow part,
//!   60 s where none did; and in any case three times what the fastest ready pod of an older ReplicaSet needed from its
//!   start until it was ready, because a service that takes two minutes today takes two minutes tomorrow.

use super::{Cause, Fact, Seen, Sign};
use crate::{clock, observed::Observed};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::{Container, ContainerStatus, Event, Pod, Probe},
};

const AFTER_A_STARTUP_PROBE: SignedDuration = SignedDuration::from_secs(30);
const WITHOUT_A_STARTUP_PROBE: SignedDuration = SignedDuration::from_secs(60);
const TIMES_THE_OLD_ONES: i32 = 3;
const AT_LEAST: i32 = 3;

/// Answers of a program that is there, in the words of the kubelet's HTTP and gRPC probers.
const DEFINITE: [&str; 2] = ["statuscode:", "NOT_SERVING"];
/// What is said of a program that did not answer.
const UNANSWERED: [&str; 3] = ["deadline exceeded", "timeout", "timed out"];

/// What the other pods of a Deployment say about how long a start may take.
pub(crate) struct Bound {
    /// A pod of the newest ReplicaSet is ready, or none of the older ones is that should be.
    is_elsewhere: bool,
    /// From its start until it was ready, of the fastest older pod.
    old: Option<SignedDuration>,
}

impl Bound {
    pub(super) fn of(observed: &Observed, deployment: &Deployment, newest: Option<&ReplicaSet>) -> Self {
        let is_newest = |set: &ReplicaSet| newest.is_some_and(|newest| newest.metadata.uid == set.metadata.uid);
        let pods = |wanted: bool| {
            let sets = observed.revisions_of(deployment).into_iter().filter(move |set| is_newest(set) == wanted);
            let pods = sets.flat_map(|set| observed.pods_of(set));
            pods.filter(|pod| pod.metadata.deletion_timestamp.is_none()).map(took).collect::<Vec<_>>()
        };
        let (new, old) = (pods(true), pods(false));
        let are_lost = !old.is_empty() && old.iter().all(Option::is_none);
        Self { is_elsewhere: new.iter().any(Option::is_some) || are_lost, old: old.into_iter().flatten().min() }
    }

    fn patience(&self, probe: &Probe, has_startup_probe: bool) -> SignedDuration {
        let delay = SignedDuration::from_secs(probe.initial_delay_seconds.unwrap_or(0).into());
        let base = if has_startup_probe { AFTER_A_STARTUP_PROBE } else { WITHOUT_A_STARTUP_PROBE };
        let old = self.old.map(|old| old.saturating_mul(TIMES_THE_OLD_ONES)).unwrap_or_default();
        (delay + base).max(old)
    }
}

/// How long a pod that is ready took from its start.
fn took(pod: &Pod) -> Option<SignedDuration> {
    let status = pod.status.as_ref()?;
    let ready = status.conditions.as_ref()?.iter().find(|it| it.type_ == "Ready" && it.status == "True")?;
    let started = status.container_statuses.iter().flatten().filter_map(started_at).max()?;
    Some(ready.last_transition_time.as_ref()?.0.duration_since(started))
}

fn started_at(status: &ContainerStatus) -> Option<Timestamp> {
    Some(status.state.as_ref()?.running.as_ref()?.started_at.as_ref()?.0)
}

pub(super) fn of(seen: &Seen<'_>, bound: &Bound) -> Option<Sign> {
    if bound.is_elsewhere {
        return None;
    }
    let statuses = seen.pod.status.as_ref()?.container_statuses.as_deref()?;
    statuses.iter().find_map(|status| container(seen, status, bound))
}

fn container(seen: &Seen<'_>, status: &ContainerStatus, bound: &Bound) -> Option<Sign> {
    let spec = seen.container(&status.name)?;
    let probe = spec.readiness_probe.as_ref()?;
    let started = started_at(status)?;
    if status.ready || status.started == Some(false) || was_ready(seen, started) {
        return None;
    }
    let patience = bound.patience(probe, spec.startup_probe.is_some());
    let (times, said) = answers(seen, spec, started);
    let enough = probe.failure_threshold.unwrap_or(3).max(AT_LEAST);
    if seen.now.duration_since(started) < patience || times < enough {
        return None;
    }
    Some(Sign {
        cause: Cause::NotReady,
        evidence: format!(
            "container {} runs for {} and was never ready: {times} times {}",
            status.name,
            clock::age(started, seen.now),
            said?
        ),
        since: Fact::new(started, "containerStatuses[].state.running.startedAt"),
        patience,
        cure: format!("read why: `kubectl -n {} logs {} -c {}`", seen.namespace, seen.name(), status.name),
    })
}

/// A pod that never was has been unready since before its container started.
fn was_ready(seen: &Seen<'_>, started: Timestamp) -> bool {
    let changed = seen.condition("Ready").and_then(|ready| ready.last_transition_time.as_ref());
    changed.is_some_and(|changed| changed.0 > started)
}

/// How many definite answers the readiness probe got in this start, and the last of them.
fn answers<'a>(seen: &Seen<'a>, container: &Container, started: Timestamp) -> (i32, Option<&'a str>) {
    let field = format!("spec.containers{{{}}}", container.name);
    let is_its = |event: &Event| event.involved_object.field_path.as_deref().is_none_or(|path| path == field);
    let is_of_this_start = |event: &Event| clock::first_seen(event).is_some_and(|first| first.at >= started);
    let told = seen.told("Unhealthy").filter(|(event, _)| is_its(event) && is_of_this_start(event));
    told.filter(|(_, said)| is_definite(said, container))
        .fold((0, None), |(times, _), (event, said)| (times + clock::count(event), Some(said)))
}

fn is_definite(said: &str, container: &Container) -> bool {
    if !said.starts_with("Readiness probe") || UNANSWERED.iter().any(|words| said.contains(words)) {
        return false;
    }
    let is_command = container.readiness_probe.as_ref().is_some_and(|probe| probe.exec.is_some());
    let is_refused = container.startup_probe.is_some() && said.contains("connection refused");
    is_command || is_refused || DEFINITE.iter().any(|words| said.contains(words))
}
