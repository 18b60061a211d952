//! `kubectl rollout status`, in its order.

use crate::cluster::Cluster;
use rollout::{Observed, State, standing};
use serde_json::{Value, json};

fn with(status: Value) -> Cluster {
    let mut cluster = Cluster::new();
    crate::cluster::merge(&mut cluster.deployment["status"], status);
    cluster
}

#[test]
fn a_change_that_the_controller_has_not_seen_waits_whatever_its_pods_show() {
    let mut cluster = Cluster::new().event("FailedMount", "secret \"x\" not found", 1, 1);
    cluster.deployment["metadata"]["generation"] = json!(3);
    assert_eq!(cluster.waits(), "the controller has not seen the change yet");
}

#[test]
fn new_pods_are_made_then_old_ones_end_then_the_new_ones_are_available() {
    assert_eq!(with(json!({})).waits(), "1 of 2 new pods are made");
    assert_eq!(with(json!({ "updatedReplicas": 2 })).waits(), "1 old pod has to end");
    assert_eq!(with(json!({ "updatedReplicas": 2, "replicas": 4 })).waits(), "2 old pods have to end");
    let available = json!({ "updatedReplicas": 2, "replicas": 2, "availableReplicas": 1 });
    assert_eq!(with(available).waits(), "1 of 2 new pods are available");
    let done = json!({ "updatedReplicas": 2, "replicas": 2, "availableReplicas": 2 });
    assert_eq!(with(done).state(60), State::Complete);
}

#[test]
fn replicas_that_an_autoscaler_changed_are_compared_as_they_are_now() {
    let done = || with(json!({ "updatedReplicas": 2, "replicas": 2, "availableReplicas": 2 }));
    let mut more = done();
    more.deployment["spec"]["replicas"] = json!(5);
    assert_eq!(more.waits(), "2 of 5 new pods are made");
    let mut fewer = with(json!({ "updatedReplicas": 1, "replicas": 1, "availableReplicas": 1 }));
    fewer.deployment["spec"]["replicas"] = json!(1);
    assert_eq!(fewer.state(60), State::Complete);
}

#[test]
fn a_paused_deployment_waits_and_says_how_to_go_on() {
    let mut cluster = Cluster::new().event("FailedMount", "secret \"x\" not found", 1, 1);
    cluster.deployment["spec"]["paused"] = json!(true);
    assert_eq!(cluster.waits(), "paused: `kubectl rollout resume deployment/auth-service`");
}

#[test]
fn a_first_install_waits_for_its_deployment_and_is_judged_as_any_other() {
    let nothing = Observed { services: vec!["auth-service".to_owned()], ..Observed::default() };
    let state = standing(&nothing, crate::cluster::at(0)).services[0].state.clone();
    assert_eq!(state, State::Waiting { why: "there is no Deployment of this name yet".to_owned() });
    let mut first = Cluster::new().event("FailedMount", "secret \"x\" not found", 1, 1);
    first.pods.truncate(1);
    first.old_set = json!({ "metadata": {}, "spec": { "selector": {} } });
    assert_eq!(first.doom().cause.code(), "missing_mount");
}

#[test]
fn what_is_complete_stays_complete_when_a_pod_crashes_once_more() {
    let done = json!({ "updatedReplicas": 2, "replicas": 2, "availableReplicas": 2 });
    let cluster = with(done).container(json!({ "state": { "waiting": { "reason": "CrashLoopBackOff" } } }));
    assert_eq!(cluster.state(60), State::Complete);
}
