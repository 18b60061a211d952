//! Watches against an API server that answers as it is told, in time that passes when nothing else happens.

use crate::cluster::{Cluster, POD, SERVICE};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Frame};
use kube::{Client, client::Body};
use rollout::{Observed, Watch};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::{sleep, timeout};

type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// How a watch ends when it has said everything.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Stays,
    Closes,
    Breaks,
}

/// An API server with the objects of one rollout.
#[derive(Clone)]
struct Server(Arc<Mutex<State>>);

struct State {
    objects: Observed,
    /// What the watches of pods say, one after the other; the last one says nothing, and ends so.
    watches: VecDeque<(Vec<Value>, End)>,
    forever: End,
    forbidden: Option<&'static str>,
    asked: Vec<String>,
}

impl Server {
    fn new(watches: Vec<(Vec<Value>, End)>) -> Self {
        let objects = Cluster::new().observed();
        let watches = watches.into();
        Self(Arc::new(Mutex::new(State { objects, watches, forever: End::Stays, forbidden: None, asked: vec![] })))
    }

    fn watch(&self) -> Watch {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let answer = server.answer(&request);
            async move { Ok::<_, Infallible>(answer) }
        });
        Watch::start(&Client::new(service, "production"), "production", &[SERVICE.to_owned()])
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    fn asked(&self, words: &str) -> usize {
        self.0.lock().unwrap().asked.iter().filter(|asked| asked.contains(words)).count()
    }

    fn answer(&self, request: &Request<Body>) -> Answer {
        let mut state = self.0.lock().unwrap();
        let kind = request.uri().path().rsplit('/').next().unwrap().to_owned();
        let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        state.asked.push(format!("{} {kind} {}", if is_watch { "watch" } else { "list" }, request.uri()));
        if state.forbidden.is_some_and(|forbidden| forbidden == kind) {
            let status = json!({
                "kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403,
                "message": format!("{kind} is forbidden"),
            });
            return answer(403, status.to_string());
        }
        if is_watch {
            let said = if kind == "pods" { state.watches.pop_front() } else { None };
            let (said, end) = said.unwrap_or((Vec::new(), state.forever));
            return stream(said, end);
        }
        let items = match kind.as_str() {
            "deployments" => json!(state.objects.deployments),
            "replicasets" => json!(state.objects.replica_sets),
            "pods" => json!(state.objects.pods),
            _ => json!(state.objects.events),
        };
        answer(200, json!({ "kind": "List", "metadata": { "resourceVersion": "7" }, "items": items }).to_string())
    }
}

fn answer(status: u16, text: String) -> Answer {
    Response::builder().status(status).body(Full::from(text).map_err(|never| match never {}).boxed_unsync()).unwrap()
}

fn stream(said: Vec<Value>, end: End) -> Answer {
    use futures_util::{StreamExt as _, stream};
    let lines = said.into_iter().map(|line| Ok(Frame::data(format!("{line}\n").into())));
    let end = match end {
        End::Stays => stream::pending().boxed(),
        End::Closes => stream::empty().boxed(),
        End::Breaks => stream::iter([Err(std::io::Error::other("connection reset"))]).boxed(),
    };
    Response::new(StreamBody::new(stream::iter(lines).chain(end)).boxed_unsync())
}

fn event(kind: &str, mut pod: Value, version: u32) -> Value {
    pod["kind"] = json!("Pod");
    pod["apiVersion"] = json!("v1");
    pod["metadata"]["resourceVersion"] = json!(version.to_string());
    json!({ "type": kind, "object": pod })
}

/// The new pod, in a phase.
fn in_phase(phase: &str) -> Value {
    let mut pod = Cluster::new().pods[0].clone();
    pod["status"]["phase"] = json!(phase);
    pod
}

fn phase(observed: &Observed) -> Option<&str> {
    let pod = observed.pods.iter().find(|pod| pod.metadata.name.as_deref() == Some(POD))?;
    pod.status.as_ref()?.phase.as_deref()
}

#[tokio::test(start_paused = true)]
async fn the_first_view_has_what_belongs_to_the_services_and_the_next_what_changed() {
    let server = Server::new(vec![(vec![event("MODIFIED", in_phase("Running"), 8)], End::Stays)]);
    server.change(|state| {
        let mut other = state.objects.pods[0].clone();
        other.metadata.name = Some("of-another".to_owned());
        other.metadata.owner_references = None;
        state.objects.pods.push(other);
    });
    let mut watch = server.watch();
    let mut view = watch.next().await.unwrap();
    assert_eq!((view.observed.pods.len(), view.blind.len()), (3, 0));
    if phase(&view.observed) == Some("Pending") {
        view = watch.next().await.unwrap();
    }
    assert_eq!(phase(&view.observed), Some("Running"));
    assert!(timeout(Duration::from_secs(20), watch.next()).await.is_err(), "a view, and nothing had changed");
}

#[tokio::test(start_paused = true)]
async fn changes_that_come_together_are_one_view() {
    let many = (8..200).map(|version| event("MODIFIED", in_phase(&format!("Phase{version}")), version)).collect();
    let server = Server::new(vec![(many, End::Stays)]);
    let mut watch = server.watch();
    let mut views = 0;
    while phase(&watch.next().await.unwrap().observed) != Some("Phase199") {
        views += 1;
    }
    assert!(views <= 2, "{views}");
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_too_old_leads_to_a_list_and_nobody_is_told_of_it() {
    let gone = json!({ "type": "ERROR", "object": {
        "kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old resource version",
    }});
    let server = Server::new(vec![(vec![gone], End::Closes)]);
    let mut watch = server.watch();
    watch.next().await.unwrap();
    server.change(|state| state.objects.pods.truncate(1));
    let view = watch.next().await.unwrap();
    assert_eq!((view.observed.pods.len(), view.blind.len(), server.asked("list pods")), (1, 0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_deleted_is_gone_and_a_connection_that_breaks_is_told_until_it_is_back() {
    let server = Server::new(vec![(vec![event("DELETED", in_phase("Running"), 9)], End::Breaks)]);
    let mut watch = server.watch();
    let mut view = watch.next().await.unwrap();
    while view.blind.is_empty() {
        view = watch.next().await.unwrap();
    }
    assert_eq!((view.blind[0].kind, view.observed.pods.len()), ("pods", 2));
    let view = watch.next().await.unwrap();
    assert_eq!((view.blind.len(), view.observed.pods.len()), (0, 3));
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_seen_is_named_and_the_rest_is_seen() {
    let server = Server::new(vec![]);
    server.change(|state| state.forbidden = Some("events"));
    let mut watch = server.watch();
    let view = watch.next().await.unwrap();
    let blind = &view.blind[0];
    assert_eq!((blind.kind, blind.why.as_str(), view.observed.pods.len()), ("events", "events is forbidden", 3));
    sleep(Duration::from_mins(1)).await;
    // Half a second, doubled up to five.
    assert!((10..=16).contains(&server.asked("events")), "{}", server.asked("events"));
    server.change(|state| state.forbidden = None);
    assert_eq!(watch.next().await.unwrap().blind, []);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_closes_each_watch_at_once_is_asked_ever_more_slowly_and_from_where_it_was() {
    let bookmark = json!({ "type": "BOOKMARK", "object": {
        "kind": "Pod", "apiVersion": "v1", "metadata": { "resourceVersion": "42" },
    }});
    let server = Server::new(vec![(vec![bookmark], End::Closes)]);
    server.change(|state| state.forever = End::Closes);
    let mut watch = server.watch();
    watch.next().await.unwrap();
    sleep(Duration::from_mins(1)).await;
    let (lists, watches) = (server.asked("list pods"), server.asked("watch pods"));
    assert!(lists == 1 && (10..=16).contains(&watches), "{lists} lists, {watches} watches");
    assert_eq!(server.asked("resourceVersion=42"), watches - 1);
}
