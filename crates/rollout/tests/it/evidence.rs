//! What is saved before a rollback.

use crate::cluster::{Cluster, POD, at};
use http::{Request, Response};
use kube::{Client, client::Body};
use rollout::{Evidence, evidence, standing};
use serde_json::json;
use std::convert::Infallible;

fn crashed() -> Cluster {
    let end = json!({ "terminated": { "reason": "Error", "exitCode": 1, "finishedAt": at(30) } });
    let waits = json!({ "waiting": { "reason": "CrashLoopBackOff" } });
    let crashed = json!({ "restartCount": 2, "lastState": end, "state": waits });
    Cluster::new().container(crashed).event("BackOff", "Back-off restarting failed container", 3, 31)
}

/// With an API server whose every log is this, or which has none.
async fn saved(cluster: Cluster, log: Option<String>) -> Evidence {
    let service = tower::service_fn(move |request: Request<Body>| {
        let (path, query) = (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
        assert!(path.ends_with("/log") && query.contains("tailLines=50"), "{path}?{query}");
        let run = if query.contains("previous=true") { "before" } else { "now" };
        let refusal = json!({
            "kind": "Status", "status": "Failure", "code": 400, "message": "no such container", "reason": "BadRequest",
        });
        let text = log.as_ref().map_or_else(|| refusal.to_string(), |log| format!("{run}\n{log}"));
        let mut answer = Response::new(http_body_util::Full::from(text));
        *answer.status_mut() = http::StatusCode::from_u16(if log.is_some() { 200 } else { 400 }).unwrap();
        async move { Ok::<_, Infallible>(answer) }
    });
    let observed = cluster.observed();
    evidence(&Client::new(service, "production"), &observed, &standing(&observed, at(60))).await
}

#[tokio::test]
async fn a_doomed_pod_is_saved_with_its_events_and_both_its_logs() {
    let saved = saved(crashed(), Some("panicked at src/main.rs".to_owned())).await;
    let service = &saved.services[0];
    assert_eq!((service.dooms[0].cause.code(), service.pods.len()), ("crash_loop", 1));
    let pod = &service.pods[0];
    assert_eq!((pod.name.as_str(), pod.events[0].reason.as_str(), pod.events[0].count), (POD, "BackOff", 3));
    let logs: Vec<_> = pod.logs.iter().map(|log| (log.is_previous, log.lines.join("|"))).collect();
    let (now, before) = ("now|panicked at src/main.rs", "before|panicked at src/main.rs");
    assert_eq!(logs, [(false, now.to_owned()), (true, before.to_owned())]);
    assert!(pod.status.is_some() && saved.left_out.is_empty());
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_named() {
    let saved = saved(crashed(), None).await;
    let log = &saved.services[0].pods[0].logs[0];
    assert!(log.lines.is_empty() && log.failure.as_ref().unwrap().contains("no such container"), "{log:?}");
}

#[tokio::test]
async fn what_is_not_doomed_is_not_saved_and_a_container_that_never_began_has_no_log() {
    assert!(saved(Cluster::new(), None).await.services.is_empty());
    let missing = Cluster::new().event("FailedMount", "secret \"x\" not found", 1, 1);
    let waits = json!({ "state": { "waiting": { "reason": "ContainerCreating" } } });
    let saved = saved(missing.container(waits), None).await;
    assert_eq!(saved.services[0].pods[0].logs, []);
}

#[tokio::test]
async fn long_logs_and_many_pods_are_cut_and_what_is_left_out_is_named() {
    let mut cluster = crashed();
    for number in 2..=5 {
        let mut pod = cluster.pods[0].clone();
        let name = json!(format!("auth-service-new-{number}"));
        (pod["metadata"]["name"], pod["metadata"]["uid"]) = (name.clone(), name);
        cluster.pods.push(pod);
    }
    let line = "x".repeat(4000);
    let log: Vec<_> = (0..80).map(|number| format!("{number} {line}")).collect();
    let saved = saved(cluster, Some(log.join("\n"))).await;
    assert!(serde_json::to_vec(&saved).unwrap().len() <= 256 << 10);
    let pods = &saved.services[0].pods;
    assert_eq!(pods.len(), 3);
    assert!(pods.iter().flat_map(|pod| &pod.logs).all(|log| log.lines.last().unwrap().starts_with("79 ")));
    assert!(saved.left_out.iter().any(|left| left.starts_with("pod auth-service-new-4")), "{:?}", saved.left_out);
    assert!(saved.left_out.iter().any(|left| left.starts_with("25 older lines of the log of auth-service-new-")));
}
