//! Containers that never run, and those that may yet.

use crate::cluster::{Cluster, at, told};
use rollout::Cause;
use serde_json::{Value, json};

fn waiting(reason: &str, message: &str) -> Value {
    json!({ "state": { "waiting": { "reason": reason, "message": message } } })
}

fn end(reason: &str, code: i32, finished: i64) -> Value {
    json!({ "terminated": { "reason": reason, "exitCode": code, "finishedAt": at(finished) } })
}

#[test]
fn a_crash_loop_is_doomed_and_says_how_it_ended() {
    let back_off = json!({
        "restartCount": 2, "lastState": end("Error", 101, 41),
        "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 10s" } },
    });
    let doom = Cluster::new().container(back_off).doom();
    assert_eq!(told(&doom), (Cause::CrashLoop, 41));
    assert_eq!(doom.evidence, "container auth-service ended 3 times, last with exit code 101 (Error)");
    assert_eq!(doom.since.field, "containerStatuses[].lastState.terminated.finishedAt");
    assert!(doom.cure.contains("logs auth-service-new-1 -c auth-service --previous"), "{}", doom.cure);
}

#[test]
fn a_second_crash_is_doomed_before_the_kubelet_backs_off() {
    let again = json!({ "restartCount": 1, "state": end("Error", 137, 12), "lastState": end("Error", 137, 10) });
    let doom = Cluster::new().container(again).event("Unhealthy", "Liveness probe failed: HTTP 500", 3, 5).doom();
    assert_eq!(told(&doom), (Cause::CrashLoop, 12));
    let evidence = "container auth-service ended 2 times, last with exit code 137 (Error, signal 9); Liveness probe failed: HTTP 500";
    assert_eq!(doom.evidence, evidence);
}

#[test]
fn a_first_crash_waits() {
    Cluster::new().container(json!({ "state": end("Error", 1, 10) })).waits();
    let runs_again = json!({
        "restartCount": 1, "lastState": end("Error", 1, 10), "state": { "running": { "startedAt": at(11) } },
    });
    Cluster::new().container(runs_again).waits();
}

#[test]
fn a_container_that_crashed_and_is_ready_now_waits() {
    let ready = json!({
        "ready": true, "restartCount": 2, "lastState": end("OOMKilled", 137, 10),
        "state": { "running": { "startedAt": at(11) } },
    });
    Cluster::new().container(ready).waits();
}

#[test]
fn crashes_are_forgotten_after_ten_minutes_of_running() {
    let runs = |since: i64| {
        let runs = json!({
            "restartCount": 5, "lastState": end("Error", 1, since - 1), "state": { "running": { "startedAt": at(since) } },
        });
        Cluster::new().container(runs)
    };
    runs(60 - 600).waits();
    assert_eq!(runs(60 - 599).doom().cause, Cause::CrashLoop);
}

#[test]
fn the_first_kill_for_memory_is_doomed_and_shows_the_limit() {
    let killed = json!({
        "restartCount": 1, "lastState": end("OOMKilled", 137, 10), "state": { "running": { "startedAt": at(11) } },
    });
    let doom = Cluster::new().container(killed).doom();
    assert_eq!(told(&doom), (Cause::OutOfMemory, 10));
    let evidence = "container auth-service was killed once for using more memory than its limit of 64Mi (OOMKilled)";
    assert_eq!(doom.evidence, evidence);
}

#[test]
fn an_init_container_that_crashes_is_doomed_and_one_that_is_done_is_not() {
    let init = |status: Value| {
        let mut container = json!({ "name": "init", "image": "x", "imageID": "", "ready": false, "restartCount": 1 });
        crate::cluster::merge(&mut container, status);
        Cluster::new().pod(json!({ "initContainerStatuses": [container] }))
    };
    assert_eq!(init(json!({ "state": end("Error", 3, 9) })).doom().cause, Cause::CrashLoop);
    init(json!({ "state": end("Completed", 0, 9), "ready": true })).waits();
}

#[test]
fn an_image_that_the_registry_does_not_have_is_doomed() {
    let said = "failed to pull and unpack image \"docker.io/library/auth-service:2.0.0\": failed to resolve reference \
                \"docker.io/library/auth-service:2.0.0\": docker.io/library/auth-service:2.0.0: not found";
    let event = format!("Failed to pull image \"auth-service:2.0.0\": {said}");
    let doom = Cluster::new().container(waiting("ErrImagePull", said)).event("Failed", &event, 1, 3).doom();
    assert_eq!((told(&doom), doom.since.field), ((Cause::ImageNotFound, 3), "event.firstTimestamp"));
    assert_eq!(doom.evidence, "the registry has no image auth-service:2.0.0: not found");
    // Without the event there is only the moment at which it was seen.
    let doom = Cluster::new().container(waiting("ErrImagePull", said)).doom();
    assert_eq!((told(&doom).1, doom.since.field), (60, "containerStatuses[].state.waiting, seen"));
}

#[test]
fn the_back_off_after_not_found_is_doomed_by_its_own_words_or_by_the_event_s() {
    let words = "Back-off pulling image \"auth-service:2.0.0\": ErrImagePull: manifest unknown";
    assert_eq!(Cluster::new().container(waiting("ImagePullBackOff", words)).doom().cause, Cause::ImageNotFound);
    let short = Cluster::new().container(waiting("ImagePullBackOff", "Back-off pulling image \"auth-service:2.0.0\""));
    let short = short.event("Failed", "Failed to pull image \"auth-service:2.0.0\": not found", 2, 5);
    assert_eq!(told(&short.doom()), (Cause::ImageNotFound, 5));
}

#[test]
fn a_registry_that_does_not_answer_waits() {
    for said in [
        "failed to do request: Head \"https://registry/v2/\": dial tcp: lookup registry: host not found",
        "failed to do request: dial tcp 10.0.0.1:443: i/o timeout",
        "429 Too Many Requests: toomanyrequests",
    ] {
        Cluster::new().container(waiting("ErrImagePull", said)).waits();
        Cluster::new().container(waiting("ImagePullBackOff", said)).waits();
    }
}

#[test]
fn names_that_are_none_and_images_that_are_never_pulled_are_doomed_at_once() {
    let name = Cluster::new().container(waiting("InvalidImageName", "couldn't parse image reference")).doom();
    assert_eq!(name.cause, Cause::InvalidImageName);
    let never = Cluster::new().container(waiting("ErrImageNeverPull", "Container image is not present")).doom();
    assert_eq!(never.cause, Cause::ImageNeverPulled);
    for reason in ["ImageInspectError", "RegistryUnavailable", "CreateContainerError", "ContainerCreating"] {
        Cluster::new().container(waiting(reason, "not yet")).waits();
    }
}

#[test]
fn a_variable_from_a_secret_that_is_not_there_is_doomed_and_a_cache_that_is_not_filled_waits() {
    let missing = Cluster::new().container(waiting("CreateContainerConfigError", "secret \"api-secrets\" not found"));
    let doom = missing.doom();
    assert_eq!(doom.cause, Cause::MissingVariable);
    assert_eq!(doom.evidence, "container auth-service cannot be configured: secret \"api-secrets\" not found");
    let cache = "failed to sync secret cache: timed out waiting for the condition";
    Cluster::new().container(waiting("CreateContainerConfigError", cache)).waits();
    let services = "services have not yet been read at least once, cannot construct envvars";
    Cluster::new().container(waiting("CreateContainerConfigError", services)).waits();
}

#[test]
fn a_program_that_cannot_be_started_is_doomed_unless_the_node_is_in_trouble() {
    let doom = Cluster::new().container(json!({ "state": end("ContainerCannotRun", 127, 8) })).doom();
    assert_eq!(told(&doom), (Cause::CannotRun, 8));
    Cluster::new().container(json!({ "state": end("ContainerCannotRun", 128, 8) })).waits();
}
