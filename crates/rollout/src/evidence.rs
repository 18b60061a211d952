//! What a rollback deletes, saved before: the doomed pods with their events and the last lines of their logs.
//!
//! A pod's specification is not kept: its variables may hold secrets, and the chart has it.

mod bound;

use crate::{Doom, Observed, Service, Standing, clock, observed::name};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{ContainerStatus, Event, Pod, PodStatus},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Api, Client, api::LogParams};
use serde::Serialize;
use std::time::Duration;

/// Of a log, from its end.
const LINES: u8 = 50;
/// Of a log, before its last lines are taken.
const READ_BYTES: i64 = 256 << 10;
/// Events of an object, the last ones.
const EVENTS: usize = 50;
/// Pods of a service: those of one doom show the same.
const PODS: usize = 3;
/// Logs that are read at the same time, and how long one may take.
const AT_ONCE: usize = 8;
const PATIENCE: Duration = Duration::from_secs(5);

/// At most 256 KiB as JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// Where.
    pub namespace: String,
    /// The moment of the standing that it belongs to.
    pub at: Timestamp,
    /// The doomed services.
    pub services: Vec<ServiceEvidence>,
    /// What had no room, or was too much of the same.
    pub left_out: Vec<String>,
}

/// One doomed service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceEvidence {
    /// Its name.
    pub service: String,
    /// Why it is doomed.
    pub dooms: Vec<Doom>,
    /// Events of its Deployment and its ReplicaSets.
    pub events: Vec<EventLine>,
    /// Pods that show a doom.
    pub pods: Vec<PodEvidence>,
}

/// One pod.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PodEvidence {
    /// Its name.
    pub name: String,
    /// `status`, as the API gave it.
    pub status: Option<PodStatus>,
    /// Its events.
    pub events: Vec<EventLine>,
    /// Its containers' logs.
    pub logs: Vec<Log>,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventLine {
    /// In one word.
    pub reason: String,
    /// In the cluster's words.
    pub message: String,
    /// How often.
    pub count: i32,
    /// When it came first.
    pub first: Option<Timestamp>,
    /// When it came last.
    pub last: Option<Timestamp>,
}

/// The end of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Log {
    /// Whose.
    pub container: String,
    /// Of the run before the last restart.
    pub is_previous: bool,
    /// Its last lines, at most 50.
    pub lines: Vec<String>,
    /// Why there are none.
    pub failure: Option<String>,
}

/// Saves what is there. A log that cannot be read is named, and holds up nothing for longer than five seconds.
pub async fn evidence(client: &Client, observed: &Observed, standing: &Standing) -> Evidence {
    let mut evidence = without_logs(observed, standing);
    let api: Api<Pod> = Api::namespaced(client.clone(), &observed.namespace);
    let pods = || evidence.services.iter().flat_map(|service| &service.pods);
    let wanted = pods().flat_map(|pod| logs_of(pod).into_iter().map(|log| read(&api, pod.name.clone(), log)));
    let wanted: Vec<_> = wanted.collect();
    let read: Vec<_> = stream::iter(wanted).buffered(AT_ONCE).collect().await;
    for (pod, log) in read {
        let pods = evidence.services.iter_mut().flat_map(|service| &mut service.pods);
        pods.filter(|it| it.name == pod).for_each(|it| it.logs.push(log.clone()));
    }
    bound::fit(&mut evidence);
    evidence
}

fn without_logs(observed: &Observed, standing: &Standing) -> Evidence {
    let mut left_out = Vec::new();
    let doomed = standing.services.iter().filter(|service| !service.state.dooms().is_empty());
    let services = doomed.map(|service| of_service(observed, service, &mut left_out)).collect();
    Evidence { namespace: observed.namespace.clone(), at: standing.at, services, left_out }
}

fn of_service(observed: &Observed, service: &Service, left_out: &mut Vec<String>) -> ServiceEvidence {
    let dooms = service.state.dooms();
    let shows = |pod: &&Pod| dooms.iter().any(|doom| doom.pods.iter().any(|shown| shown == name(&pod.metadata)));
    let mut pods: Vec<_> = observed.pods.iter().filter(shows).map(|pod| of_pod(observed, pod)).collect();
    for pod in pods.split_off(PODS.min(pods.len())) {
        left_out.push(format!("pod {}: {PODS} pods of its service are here", pod.name));
    }
    let deployment = observed.deployment(&service.name);
    let sets = deployment.map(|deployment| observed.revisions_of(deployment)).unwrap_or_default();
    let makers = deployment.map(|it| &it.metadata).into_iter().chain(sets.into_iter().map(|it| &it.metadata));
    let events = makers.flat_map(|maker| events_of(observed, maker)).collect();
    ServiceEvidence { service: service.name.clone(), dooms: dooms.to_vec(), events, pods }
}

fn of_pod(observed: &Observed, pod: &Pod) -> PodEvidence {
    let events = events_of(observed, &pod.metadata);
    PodEvidence { name: name(&pod.metadata).to_owned(), status: pod.status.clone(), events, logs: Vec::new() }
}

/// By when they came last.
fn events_of(observed: &Observed, object: &ObjectMeta) -> Vec<EventLine> {
    let mut events: Vec<_> = observed.events_of(object).into_iter().map(event_line).collect();
    events.sort_by_key(|event| event.last);
    let old = events.len().saturating_sub(EVENTS);
    events.split_off(old)
}

fn event_line(event: &Event) -> EventLine {
    let first = clock::first_seen(event).map(|fact| fact.at);
    EventLine {
        reason: event.reason.clone().unwrap_or_default(),
        message: event.message.clone().unwrap_or_default(),
        count: clock::count(event),
        first,
        last: event.last_timestamp.as_ref().map(|time| time.0).or(first),
    }
}

/// The logs that a pod can have: a container that never began has none.
fn logs_of(pod: &PodEvidence) -> Vec<Log> {
    let status = pod.status.iter();
    let containers = status.flat_map(|it| it.init_container_statuses.iter().chain(&it.container_statuses).flatten());
    containers.flat_map(|status| runs_of(status).into_iter().map(|is_previous| log(status, is_previous))).collect()
}

fn log(status: &ContainerStatus, is_previous: bool) -> Log {
    Log { container: status.name.clone(), is_previous, lines: Vec::new(), failure: None }
}

/// Whether there is a run to read, and one before it.
fn runs_of(status: &ContainerStatus) -> Vec<bool> {
    let ended = status.last_state.as_ref().is_some_and(|state| state.terminated.is_some());
    let began = status.state.as_ref().is_some_and(|state| state.waiting.is_none());
    let runs = [(began || ended, false), (status.restart_count > 0, true)];
    runs.into_iter().filter(|(is_there, _)| *is_there).map(|(_, is_previous)| is_previous).collect()
}

async fn read(api: &Api<Pod>, pod: String, mut log: Log) -> (String, Log) {
    let parameters = LogParams {
        container: Some(log.container.clone()),
        previous: log.is_previous,
        tail_lines: Some(LINES.into()),
        limit_bytes: Some(READ_BYTES),
        timestamps: true,
        ..LogParams::default()
    };
    match tokio::time::timeout(PATIENCE, api.logs(&pod, &parameters)).await {
        Ok(Ok(text)) => {
            let lines: Vec<_> = text.lines().map(ToOwned::to_owned).collect();
            log.lines = lines[lines.len().saturating_sub(LINES.into())..].to_vec();
        }
        Ok(Err(error)) => log.failure = Some(error.to_string()),
        Err(_) => log.failure = Some(format!("no answer in {} s", PATIENCE.as_secs())),
    }
    (pod, log)
}
