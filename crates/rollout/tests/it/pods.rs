//! Pods that never begin, their makers that make none, and whose pods count.

use crate::cluster::{Cluster, at, condition, merge, told};
use rollout::{Cause, Mark};
use serde_json::{Value, json};

const MISSING: &str = "MountVolume.SetUp failed for volume \"secrets\" : secret \"no-such-secret\" not found";

#[test]
fn a_pod_that_failed_is_doomed_unless_its_node_gave_it_up() {
    let failed = |reason: &str| Cluster::new().pod(json!({ "phase": "Failed", "reason": reason, "message": "words" }));
    let doom = failed("DeadlineExceeded").doom();
    assert_eq!((doom.cause, doom.evidence.as_str()), (Cause::PodFailed, "the pod failed: DeadlineExceeded: words"));
    for reason in ["Evicted", "Preempting", "NodeShutdown", "OutOfcpu"] {
        failed(reason).waits();
    }
}

#[test]
fn a_mounted_secret_that_is_not_there_is_doomed_at_the_first_event() {
    let doom = Cluster::new().event("FailedMount", MISSING, 1, 1).doom();
    assert_eq!((told(&doom), doom.since.field), ((Cause::MissingMount, 1), "event.firstTimestamp"));
    assert_eq!(doom.evidence, "cannot be mounted: secret \"no-such-secret\" not found");
    let key = "MountVolume.SetUp failed for volume \"secrets\" : references non-existent secret key: smoke-key";
    let doom = Cluster::new().event("FailedMount", key, 4, 1).doom();
    assert_eq!(doom.evidence, "cannot be mounted: references non-existent secret key: smoke-key (4 times)");
}

#[test]
fn a_mount_that_is_late_waits_and_so_does_one_that_came_to_be() {
    let late = "MountVolume.SetUp failed for volume \"secrets\" : failed to sync secret cache: not found in time";
    Cluster::new().event("FailedMount", late, 3, 1).waits();
    let volume = "Unable to attach or mount volumes: timed out waiting for the condition";
    Cluster::new().event("FailedMount", volume, 3, 1).waits();
    let was_missing = || Cluster::new().event("FailedMount", MISSING, 1, 1);
    was_missing().pod(json!({ "phase": "Running" })).waits();
    was_missing().pod(json!({ "conditions": [condition("PodReadyToStartContainers", "True", 2)] })).waits();
    was_missing().event("Pulling", "Pulling image \"auth-service:2.0.0\"", 1, 3).waits();
}

fn unschedulable(message: &str) -> Cluster {
    let mut condition = condition("PodScheduled", "False", 5);
    merge(&mut condition, json!({ "reason": "Unschedulable", "message": message }));
    Cluster::new().pod(json!({ "conditions": [condition] }))
}

const NO_CPU: &str = "0/3 nodes are available: 1 node(s) had untolerated taint {gpu: yes}, 2 Insufficient cpu. \
                      preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.";

#[test]
fn a_pod_that_no_node_takes_is_doomed_after_15_seconds_and_says_what_nodes_lack() {
    assert!(unschedulable(NO_CPU).state(19).dooms().is_empty());
    let doom = unschedulable(NO_CPU).state(20).dooms()[0].clone();
    assert_eq!((told(&doom), doom.patience_seconds), ((Cause::Unschedulable, 5), 15));
    let evidence = "no node takes the pod: too little cpu on 2 nodes (the pod asks for 50m), 1 node: had untolerated taint {gpu: yes}";
    assert_eq!(doom.evidence, evidence);
    assert_eq!(doom.cure, "lower resources.requests, or add nodes");
}

#[test]
fn a_pod_for_which_a_node_is_on_its_way_waits_and_so_does_one_with_a_gate() {
    unschedulable(NO_CPU).event("TriggeredScaleUp", "pod triggered scale-up: [{pool 1->2 (max: 5)}]", 1, 6).waits();
    let mut gated = condition("PodScheduled", "False", 5);
    merge(&mut gated, json!({ "reason": "SchedulingGated" }));
    Cluster::new().pod(json!({ "conditions": [gated] })).waits();
}

fn refused(message: &str) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.pods.remove(0);
    let mut failure = condition("ReplicaFailure", "True", 2);
    merge(&mut failure, json!({ "reason": "FailedCreate", "message": message }));
    cluster.new_set["status"]["conditions"] = json!([failure]);
    cluster
}

#[test]
fn a_quota_is_named_at_once_with_its_figures() {
    let said = "pods \"auth-service-new-x\" is forbidden: exceeded quota: no-more, requested: pods=1, used: pods=7, limited: pods=7";
    let doom = refused(said).doom();
    assert_eq!(told(&doom), (Cause::Quota, 2));
    assert_eq!(doom.evidence, "exceeded quota: no-more, requested: pods=1, used: pods=7, limited: pods=7");
    assert_eq!(doom.pods, Vec::<String>::new());
}

#[test]
fn what_admission_refuses_is_doomed_and_a_webhook_that_does_not_answer_waits() {
    let security = "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true";
    assert_eq!(refused(security).doom().cause, Cause::Refused);
    let webhook = "admission webhook \"policy.example.com\" denied the request: no";
    assert_eq!(refused(webhook).doom().cause, Cause::Refused);
    let silent = "failed calling webhook \"policy.example.com\": context deadline exceeded";
    let why = format!("1 of 2 new pods are made; the last one was refused: {silent}");
    assert_eq!(refused(silent).waits(), why);
    refused("Operation cannot be fulfilled on resourcequotas \"no-more\": the object has been modified").waits();
}

#[test]
fn a_passed_deadline_is_doomed_and_comes_after_what_led_to_it() {
    let mut late = condition("Progressing", "False", 50);
    merge(&mut late, json!({ "reason": "ProgressDeadlineExceeded" }));
    let mut cluster = Cluster::new();
    cluster.deployment["status"]["conditions"] = json!([late]);
    let state = cluster.event("FailedMount", MISSING, 9, 55).state(60);
    let told: Vec<_> = state.dooms().iter().map(told).collect();
    assert_eq!(told, [(Cause::MissingMount, 55), (Cause::DeadlineExceeded, 50)]);
    let mut progress = condition("Progressing", "True", 50);
    merge(&mut progress, json!({ "reason": "ReplicaSetUpdated" }));
    let mut cluster = Cluster::new();
    cluster.deployment["status"]["conditions"] = json!([progress]);
    cluster.waits();
}

#[test]
fn a_pod_that_is_ending_dooms_nothing() {
    let mut cluster = Cluster::new().event("FailedMount", MISSING, 1, 1);
    cluster.pods[0]["metadata"]["deletionTimestamp"] = json!(at(30));
    let standing = cluster.standing(60);
    assert!(standing.dooms().next().is_none());
    assert_eq!(standing.services[0].revisions[0].pods[0].mark, Mark::Ending);
}

#[test]
fn a_pod_of_an_older_revision_dooms_nothing() {
    let broken = json!({
        "phase": "Running", "conditions": [condition("Ready", "False", 0)],
        "containerStatuses": [{
            "name": "auth-service", "image": "", "imageID": "", "ready": false, "restartCount": 9,
            "state": { "waiting": { "reason": "CrashLoopBackOff" } },
        }],
    });
    let mut cluster = Cluster::new();
    cluster.pods[1]["status"] = broken;
    cluster.waits();
}

#[test]
fn after_an_undo_the_old_replica_set_is_the_newest() {
    let mut cluster = Cluster::new().event("FailedMount", MISSING, 1, 1);
    cluster.deployment["metadata"]["annotations"] = crate::cluster::revision(3);
    cluster.old_set["metadata"]["annotations"] = crate::cluster::revision(3);
    let standing = cluster.standing(60);
    assert!(standing.dooms().next().is_none());
    let revisions: Vec<_> = standing.services[0].revisions.iter().map(|it| (it.number, it.is_newest)).collect();
    assert_eq!(revisions, [(Some(3), true), (Some(2), false)]);
}

#[test]
fn the_same_cause_in_two_pods_is_one_doom_told_by_the_first() {
    let mut cluster = Cluster::new().event("FailedMount", MISSING, 2, 7);
    let mut second = cluster.pods[0].clone();
    merge(&mut second, json!({ "metadata": { "name": "auth-service-new-0", "uid": "second" } }));
    cluster.pods.push(second);
    let mut observed = cluster.observed();
    let mut event = observed.events[0].clone();
    event.involved_object.uid = Some("second".to_owned());
    event.first_timestamp = Some(at(4).into());
    observed.events.push(event);
    let standing = rollout::standing(&observed, at(60));
    let dooms: Vec<_> = standing.dooms().collect();
    assert_eq!(dooms.len(), 1);
    assert_eq!(dooms[0].pods, ["auth-service-new-0", "auth-service-new-1"]);
    assert_eq!(told(dooms[0]), (Cause::MissingMount, 4));
    let code: Value = serde_json::to_value(dooms[0]).unwrap();
    assert_eq!(code["cause"], dooms[0].cause.code());
}
