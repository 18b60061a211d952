//! How every service stands, as a tree: services, their revisions, their pods.

use crate::{
    doom::{self, Doom},
    observed::{Observed, name, revision},
    status::{self, Status},
};
use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::{ContainerStatus, Pod},
};
use serde::Serialize;

/// All services at one moment, failures first, then what waits, then what is done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// Where.
    pub namespace: String,
    /// The moment for which it was judged.
    pub at: Timestamp,
    /// The services.
    pub services: Vec<Service>,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Service {
    /// Its name, which is its Deployment's.
    pub name: String,
    /// How its rollout stands.
    pub state: State,
    /// Its revisions that have or want pods, the newest first.
    pub revisions: Vec<Revision>,
}

/// How a rollout stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It will never be done; at least one cause, the first one first.
    Doomed {
        /// Why.
        dooms: Vec<Doom>,
    },
    /// It is on its way.
    Waiting {
        /// What it waits for.
        why: String,
    },
    /// Every replica is new and available.
    Complete,
}

/// One revision: a ReplicaSet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Revision {
    /// Its number, as in `kubectl rollout history`.
    pub number: Option<u64>,
    /// Whether it is what is rolled out.
    pub is_newest: bool,
    /// Images of its containers.
    pub images: Vec<String>,
    /// How many pods are ready.
    pub ready: i32,
    /// How many it is to have.
    pub wanted: i32,
    /// Its pods, failures first.
    pub pods: Vec<PodLine>,
}

/// One pod.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PodLine {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub mark: Mark,
    /// Containers that are ready.
    pub ready: usize,
    /// All containers.
    pub containers: usize,
    /// Restarts of all its containers.
    pub restarts: i32,
    /// Since when it is there.
    pub created: Option<Timestamp>,
    /// Why it is not ready, in the cluster's word for it; the code of its doom; empty when all is well.
    pub reason: String,
}

/// How a pod stands; a lower one is told first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// It shows a doom.
    Doomed,
    /// It is not ready yet.
    Waiting,
    /// It is ready.
    Ready,
    /// It is on its way out.
    Ending,
}

impl Standing {
    /// Every doom, in the order of the services.
    pub fn dooms(&self) -> impl Iterator<Item = &Doom> {
        self.services.iter().flat_map(|service| service.state.dooms())
    }

    /// Whether every rollout is complete.
    pub fn is_complete(&self) -> bool {
        self.services.iter().all(|service| service.state == State::Complete)
    }
}

impl State {
    /// Why it will never be done; none when it may be.
    pub fn dooms(&self) -> &[Doom] {
        if let Self::Doomed { dooms } = self { dooms } else { &[] }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Doomed { .. } => 0,
            Self::Waiting { .. } => 1,
            Self::Complete => 2,
        }
    }
}

/// Judges what was observed, as of a moment: of the cluster's clock, for its times are compared with it. Some things are
/// doomed by time alone, so ask again each second, also when nothing has changed.
pub fn standing(observed: &Observed, now: Timestamp) -> Standing {
    let mut services: Vec<_> = observed.services.iter().map(|service| judge(observed, service, now)).collect();
    services.sort_by(|one, other| (one.state.rank(), &one.name).cmp(&(other.state.rank(), &other.name)));
    Standing { namespace: observed.namespace.clone(), at: now, services }
}

fn judge(observed: &Observed, service: &str, now: Timestamp) -> Service {
    let Some(deployment) = observed.deployment(service) else {
        let why = "there is no Deployment of this name yet".to_owned();
        return Service { name: service.to_owned(), state: State::Waiting { why }, revisions: Vec::new() };
    };
    let newest = observed.newest(deployment);
    let state = state(observed, deployment, newest, now);
    let is_used = |set: &&ReplicaSet| is_newest(set, newest) || wanted(set) > 0 || !observed.pods_of(set).is_empty();
    let used = observed.revisions_of(deployment).into_iter().filter(is_used);
    let mut revisions: Vec<_> = used.map(|set| line_up(observed, set, is_newest(set, newest), state.dooms())).collect();
    revisions.sort_by_key(|revision| !revision.is_newest);
    Service { name: service.to_owned(), state, revisions }
}

fn state(observed: &Observed, deployment: &Deployment, newest: Option<&ReplicaSet>, now: Timestamp) -> State {
    let why = match status::of(deployment) {
        Status::Complete => return State::Complete,
        Status::NotBegun(why) => return State::Waiting { why },
        Status::Waiting(why) => why,
    };
    let dooms = doom::of(observed, deployment, newest, now);
    if !dooms.is_empty() {
        return State::Doomed { dooms };
    }
    let refusal = doom::refusal(newest).map(|said| format!("; the last one was refused: {said}")).unwrap_or_default();
    State::Waiting { why: why + &refusal }
}

fn is_newest(set: &ReplicaSet, newest: Option<&ReplicaSet>) -> bool {
    newest.is_some_and(|newest| newest.metadata.uid == set.metadata.uid)
}

fn wanted(set: &ReplicaSet) -> i32 {
    set.spec.replicas.unwrap_or_default()
}

fn line_up(observed: &Observed, set: &ReplicaSet, is_newest: bool, dooms: &[Doom]) -> Revision {
    let template = set.spec.template.as_ref().and_then(|template| template.spec.as_ref());
    let mut pods: Vec<_> = observed.pods_of(set).into_iter().map(|pod| pod_line(pod, dooms)).collect();
    pods.sort_by(|one, other| (one.mark, &one.name).cmp(&(other.mark, &other.name)));
    Revision {
        number: revision(&set.metadata),
        is_newest,
        images: template.iter().flat_map(|spec| &spec.containers).filter_map(|it| it.image.clone()).collect(),
        ready: set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or_default(),
        wanted: wanted(set),
        pods,
    }
}

fn pod_line(pod: &Pod, dooms: &[Doom]) -> PodLine {
    let name = name(&pod.metadata).to_owned();
    let status = pod.status.clone().unwrap_or_default();
    let containers = status.container_statuses.unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let is_ready = conditions.iter().any(|it| it.type_ == "Ready" && it.status == "True");
    let doom = dooms.iter().find(|doom| doom.pods.contains(&name));
    let unscheduled = conditions.iter().find(|it| it.type_ == "PodScheduled" && it.status == "False");
    let all = status.init_container_statuses.iter().flatten().chain(&containers);
    let (mark, reason) = if pod.metadata.deletion_timestamp.is_some() {
        (Mark::Ending, "ending".to_owned())
    } else if let Some(doom) = doom {
        (Mark::Doomed, doom.cause.code().to_owned())
    } else if is_ready {
        (Mark::Ready, String::new())
    } else {
        let told = all.clone().find_map(told).or_else(|| unscheduled.and_then(|it| it.reason.clone()));
        (Mark::Waiting, told.or(status.reason).unwrap_or_else(|| "not ready".to_owned()))
    };
    PodLine {
        name,
        mark,
        ready: containers.iter().filter(|it| it.ready).count(),
        containers: pod.spec.as_ref().map_or(0, |spec| spec.containers.len()),
        restarts: all.map(|it| it.restart_count).sum(),
        created: pod.metadata.creation_timestamp.as_ref().map(|time| time.0),
        reason,
    }
}

/// Why a container does not run, in one word.
fn told(status: &ContainerStatus) -> Option<String> {
    let state = status.state.as_ref()?;
    let ended = state.terminated.as_ref().filter(|end| end.exit_code != 0).and_then(|end| end.reason.clone());
    state.waiting.as_ref().and_then(|waiting| waiting.reason.clone()).or(ended)
}
