//! Why a rollout will never be done: rules on the newest ReplicaSet and on those of its pods that are not ending.
//!
//! The rules are the union of what krane, kubedog and kstatus know and what the kubelet, the scheduler and the
//! controllers write. Each has a near miss that must wait; `tests/it/` has both, side by side.

mod container;
mod image;
mod makers;
mod mounts;
mod readiness;
mod scheduling;

use crate::observed::{Observed, name};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::{Container, Event, Pod, PodCondition},
};
use readiness::Bound;
use serde::Serialize;
use std::fmt;

/// What is wrong. Its code is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A container ended again and again.
    CrashLoop,
    /// A container used more memory than it may.
    OutOfMemory,
    /// The registry has no such image.
    ImageNotFound,
    /// The image's name is none.
    InvalidImageName,
    /// The image may not be pulled, and the node does not have it.
    ImageNeverPulled,
    /// A Secret or ConfigMap that a variable needs, or its key, is not there.
    MissingVariable,
    /// A Secret or ConfigMap that is mounted, or its key, is not there.
    MissingMount,
    /// The runtime cannot start the container's program.
    CannotRun,
    /// The pod ended for good.
    PodFailed,
    /// No node takes the pod.
    Unschedulable,
    /// A ResourceQuota leaves no room for the pod.
    Quota,
    /// The API refuses the pod.
    Refused,
    /// The program runs and says that it is not ready.
    NotReady,
    /// `progressDeadlineSeconds` passed without progress.
    DeadlineExceeded,
}

impl Cause {
    /// Its stable name, as in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::CrashLoop => "crash_loop",
            Self::OutOfMemory => "out_of_memory",
            Self::ImageNotFound => "image_not_found",
            Self::InvalidImageName => "invalid_image_name",
            Self::ImageNeverPulled => "image_never_pulled",
            Self::MissingVariable => "missing_variable",
            Self::MissingMount => "missing_mount",
            Self::CannotRun => "cannot_run",
            Self::PodFailed => "pod_failed",
            Self::Unschedulable => "unschedulable",
            Self::Quota => "quota",
            Self::Refused => "refused",
            Self::NotReady => "not_ready",
            Self::DeadlineExceeded => "deadline_exceeded",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// When something was, by the cluster's clock, and which field says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// The moment. Most of the API's times are whole seconds.
    pub at: Timestamp,
    /// The field it was read from. Where the API gives a state no time, it ends with `, seen` and the moment is the one
    /// at which it was looked at.
    pub field: &'static str,
}

impl Fact {
    pub(crate) fn new(at: Timestamp, field: &'static str) -> Self {
        Self { at, field }
    }
}

/// A cause that no further waiting cures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Doom {
    /// Whose rollout.
    pub service: String,
    /// The pods that show it, sorted; none where no pod could be made.
    pub pods: Vec<String>,
    /// What.
    pub cause: Cause,
    /// One line for people: counts, limits, exit codes, the cluster's own words.
    pub evidence: String,
    /// Since when.
    pub since: Fact,
    /// For how long after `since` the same thing is still waited out, in seconds; 0 for what is certain at once.
    pub patience_seconds: i64,
    /// What to do, in one line.
    pub cure: String,
}

/// A doom before it is known how many pods show it.
pub(crate) struct Sign {
    pub(crate) cause: Cause,
    pub(crate) evidence: String,
    pub(crate) since: Fact,
    pub(crate) patience: SignedDuration,
    pub(crate) cure: String,
}

/// A pod of the newest ReplicaSet that is not ending, with what is told of it.
pub(crate) struct Seen<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) pod: &'a Pod,
    pub(crate) events: Vec<&'a Event>,
    pub(crate) now: Timestamp,
}

impl<'a> Seen<'a> {
    fn name(&self) -> &'a str {
        name(&self.pod.metadata)
    }

    fn phase(&self) -> &'a str {
        self.pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
    }

    fn condition(&self, kind: &str) -> Option<&'a PodCondition> {
        let conditions = self.pod.status.as_ref()?.conditions.as_deref()?;
        conditions.iter().find(|condition| condition.type_ == kind)
    }

    /// The specification of a container or init container.
    fn container(&self, name: &str) -> Option<&'a Container> {
        let spec = self.pod.spec.as_ref()?;
        let all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
        all.into_iter().find(|container| container.name == name)
    }

    /// Events of a reason whose message is of interest, with the message.
    fn told(&self, reason: &'static str) -> impl Iterator<Item = (&'a Event, &'a str)> + '_ {
        let of = move |event: &&&Event| event.reason.as_deref() == Some(reason);
        self.events.iter().filter(of).map(|event| (*event, event.message.as_deref().unwrap_or_default()))
    }

    /// Whether the scheduler has a node for it that others have to leave first.
    fn is_nominated(&self) -> bool {
        self.pod.status.as_ref().is_some_and(|status| status.nominated_node_name.is_some())
    }

    /// For a state that the API gives no time.
    fn seen(&self, field: &'static str) -> Fact {
        Fact::new(self.now, field)
    }

    fn describe(&self) -> String {
        format!("`kubectl -n {} describe pod {}`", self.namespace, self.name())
    }
}

/// All that dooms a rollout, by when it was; the passed deadline last, for it is what the others lead to.
pub(crate) fn of(
    observed: &Observed,
    deployment: &Deployment,
    newest: Option<&ReplicaSet>,
    now: Timestamp,
) -> Vec<Doom> {
    let service = name(&deployment.metadata);
    let namespace = observed.namespace.as_str();
    let mut dooms: Vec<Doom> = Vec::new();
    let pods = newest.map(|set| observed.pods_of(set)).unwrap_or_default();
    let bound = Bound::of(observed, deployment, newest);
    for pod in pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
        let seen = Seen { namespace, pod, events: observed.events_of(&pod.metadata), now };
        if let Some(sign) = sign(&seen, &bound) {
            add(&mut dooms, service, Some(seen.name()), sign);
        }
    }
    for sign in makers::of(namespace, deployment, newest) {
        add(&mut dooms, service, None, sign);
    }
    for doom in &mut dooms {
        doom.pods.sort();
    }
    dooms.sort_by_key(|doom| (doom.cause == Cause::DeadlineExceeded, doom.since.at, doom.cause));
    dooms
}

/// Why no more pods are made at the moment, in the API's words; it may pass.
pub(crate) fn refusal(newest: Option<&ReplicaSet>) -> Option<&str> {
    newest.and_then(makers::failure)?.message.as_deref()
}

/// What a pod shows: the first rule that speaks says it best.
fn sign(seen: &Seen<'_>, bound: &Bound) -> Option<Sign> {
    let containers = || container::of(seen);
    let mounts = || mounts::of(seen);
    let scheduling = || scheduling::of(seen);
    containers()
        .or_else(|| container::failed(seen))
        .or_else(mounts)
        .or_else(scheduling)
        .or_else(|| readiness::of(seen, bound))
}

/// The same cause in several pods is one doom, told by the pod that had it first.
fn add(dooms: &mut Vec<Doom>, service: &str, pod: Option<&str>, sign: Sign) {
    let pods = pod.map(ToOwned::to_owned);
    let Sign { cause, evidence, since, patience, cure } = sign;
    if let Some(same) = dooms.iter_mut().find(|doom| doom.cause == cause) {
        same.pods.extend(pods);
        if since.at < same.since.at {
            (same.evidence, same.since, same.patience_seconds, same.cure) = (evidence, since, patience.as_secs(), cure);
        }
    } else {
        let pods = pods.into_iter().collect();
        let patience_seconds = patience.as_secs();
        dooms.push(Doom { service: service.to_owned(), pods, cause, evidence, since, patience_seconds, cure });
    }
}
