//! Pods that run and never get ready, beside those that are only slow.

use crate::cluster::{Cluster, SERVICE, at, condition, ready_pod, told};
use rollout::Cause;
use serde_json::json;

const ANSWERED: &str = "Readiness probe failed: HTTP probe failed with statuscode: 503";

/// Started 5 s after the rollout began.
fn running() -> Cluster {
    let runs = json!({ "started": true, "state": { "running": { "startedAt": at(5) } } });
    Cluster::new().pod(json!({ "phase": "Running" })).container(runs)
}

fn named(cluster: Cluster, seconds: i64) -> bool {
    !cluster.state(seconds).dooms().is_empty()
}

#[test]
fn a_pod_that_answers_503_again_and_again_is_doomed_when_it_had_time_enough() {
    // 10 s of initial delay and 30 s after the startup probe.
    assert!(!named(running().event("Unhealthy", ANSWERED, 7, 16), 44));
    let doom = running().event("Unhealthy", ANSWERED, 7, 16).state(45).dooms()[0].clone();
    assert_eq!((told(&doom), doom.patience_seconds), ((Cause::NotReady, 5), 40));
    let evidence = "container auth-service runs for 40s and was never ready: 7 times Readiness probe failed: HTTP probe failed with statuscode: 503";
    assert_eq!(doom.evidence, evidence);
}

#[test]
fn two_bad_answers_or_none_at_all_wait() {
    assert!(!named(running().event("Unhealthy", ANSWERED, 2, 16), 300));
    let silent = "Readiness probe failed: Get \"http://10.244.0.9:3000/health/ready\": context deadline exceeded";
    assert!(!named(running().event("Unhealthy", silent, 40, 16), 300));
}

#[test]
fn without_a_startup_probe_it_has_a_minute_and_a_refused_connection_says_nothing() {
    let refused = "Readiness probe failed: dial tcp 10.244.0.9:3000: connect: connection refused";
    let without = || {
        let mut cluster = running();
        cluster.pods[0]["spec"]["containers"][0]["startupProbe"] = json!(null);
        cluster
    };
    assert!(named(running().event("Unhealthy", refused, 7, 16), 45));
    assert!(!named(without().event("Unhealthy", refused, 99, 16), 300));
    assert!(!named(without().event("Unhealthy", ANSWERED, 9, 16), 74));
    assert!(named(without().event("Unhealthy", ANSWERED, 9, 16), 75));
}

#[test]
fn a_service_that_was_slow_before_may_be_slow_again() {
    let mut slow = running().event("Unhealthy", ANSWERED, 20, 16);
    slow.pods.truncate(1);
    slow.pods.push(ready_pod("auth-service-old-1", "old", 40));
    assert!(!named(slow, 124));
    let mut slow = running().event("Unhealthy", ANSWERED, 20, 16);
    slow.pods.truncate(1);
    slow.pods.push(ready_pod("auth-service-old-1", "old", 40));
    assert!(named(slow, 125));
}

#[test]
fn a_pod_that_was_ready_waits_for_what_it_lost() {
    let lost = running().pod(json!({ "conditions": [condition("Ready", "False", 30)] }));
    assert!(!named(lost.event("Unhealthy", ANSWERED, 20, 31), 300));
}

#[test]
fn a_version_that_is_ready_in_another_pod_can_be_ready() {
    let mut cluster = running().event("Unhealthy", ANSWERED, 20, 16);
    cluster.pods.push(ready_pod("auth-service-new-2", "new", 3));
    assert!(!named(cluster, 300));
}

#[test]
fn when_no_old_pod_is_ready_either_the_cause_is_elsewhere() {
    let mut cluster = running().event("Unhealthy", ANSWERED, 20, 16);
    for pod in &mut cluster.pods[1..] {
        pod["status"]["conditions"] = json!([condition("Ready", "False", 20)]);
    }
    assert!(!named(cluster, 300));
    let mut first = running().event("Unhealthy", ANSWERED, 20, 16);
    first.pods.truncate(1);
    assert!(named(first, 300));
}

#[test]
fn answers_to_an_earlier_start_or_before_the_startup_probe_passed_do_not_count() {
    assert!(!named(running().event("Unhealthy", ANSWERED, 20, 4), 300));
    let starting = json!({ "started": false, "state": { "running": { "startedAt": at(5) } } });
    let starting = Cluster::new().pod(json!({ "phase": "Running" })).container(starting);
    assert!(!named(starting.event("Unhealthy", ANSWERED, 20, 16), 300));
    let liveness = "Liveness probe failed: HTTP probe failed with statuscode: 503";
    assert!(!named(running().event("Unhealthy", liveness, 20, 16), 300));
}

#[test]
fn a_command_that_fails_is_an_answer() {
    let mut cluster = running();
    let probe = json!({ "exec": { "command": ["test", "-f", "/ready"] }, "periodSeconds": 5 });
    cluster.pods[0]["spec"]["containers"][0]["readinessProbe"] = probe;
    let doom = cluster.event("Unhealthy", "Readiness probe failed: ", 3, 16).state(60).dooms()[0].clone();
    assert_eq!((doom.cause, doom.service.as_str()), (Cause::NotReady, SERVICE));
}
