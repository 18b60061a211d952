//! What takes long: `cargo xtask test --stage cluster --long`.

mod doomed;
mod first;
mod helm4;
mod killed;
mod operators;

use crate::faults::{SERVICES, Serving};
use cluster_tests::{Installation, Kubectl, Load, given, until};
use serde_json::{Value, json};
use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// Of the platform's patience with its database, `/health/ready`.
const TOLERATED: Duration = Duration::from_mins(1);

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap().to_owned()
}

/// The node is this machine, so the processes of a pod's container are its own: found by their control group.
fn kill_processes_of(kubectl: &Kubectl, pod: &str) {
    let pod = kubectl.get(&["pod", pod]);
    let container = pod["status"]["containerStatuses"][0]["containerID"].as_str().unwrap();
    let container = container.rsplit('/').next().unwrap();
    let mut killed = 0;
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let groups = fs::read_to_string(process.path().join("cgroup")).unwrap_or_default();
        if groups.contains(container) {
            let id = process.file_name();
            // One that ended meanwhile is none to kill.
            killed += usize::from(Command::new("kill").arg("-KILL").arg(id).status().unwrap().success());
        }
    }
    assert!(killed > 0, "no process of {container}");
}

#[test]
fn what_the_cluster_has_no_room_for_never_replaces_what_serves() {
    let serving = Serving::new();
    serving.survives(
        "more memory than its limit",
        " --set resources.limits.memory=6Mi --set resources.requests.memory=6Mi",
        "OOMKilled",
    );
    let greedy = " --set resources.requests.cpu=900 --set resources.limits.cpu=900";
    serving.survives("more than any node has", greedy, "Unschedulable");
    let kubectl = &serving.installation.kubectl;
    let pods: usize = SERVICES.iter().map(|service| kubectl.pods(service).len()).sum();
    kubectl.run(&["create", "quota", "no-more", &format!("--hard=pods={pods}")]);
    serving.survives("more pods than the quota", " --set podAnnotations.again=yes", "exceeded quota");
}

#[test]
fn pods_that_are_deleted_under_load_fail_no_request_and_a_killed_process_is_replaced() {
    let serving = Serving::new();
    let installation = &serving.installation;
    let unlimited = " \\\n  -f tests/cluster/unlimited.yaml";
    installation.shell.lines(&(Installation::helm_line(&given("EAP_TEST_VERSION")) + unlimited));
    let token = installation.token();
    installation.post("/v1/resource-types", &token, &json!({ "name": "note", "schema": { "type": "object" } }));
    let load = Load::start(&token, installation.authority());
    let kubectl = &installation.kubectl;
    for service in SERVICES {
        let pod = name(&kubectl.pods(service)[0]);
        kubectl.run(&["delete", "pod", &pod]);
        until(Duration::from_mins(1), "another pod in its place", || kubectl.ready(service) >= 2);
    }
    let so_far = load.count().requests();
    until(Duration::from_mins(1), "requests after the last", || load.count().requests() > so_far + 200);
    let count = load.stop();
    assert_eq!(count.failures(), 0, "{count}");
    println!("three pods deleted: {count}");
    let before = name(&kubectl.pods("org-service")[0]);
    kill_processes_of(kubectl, &before);
    until(Duration::from_mins(1), "the process runs again", || {
        kubectl.get(&["pod", &before])["status"]["containerStatuses"][0]["restartCount"] != 0
    });
    until(Duration::from_mins(1), "its pod is ready", || kubectl.ready("org-service") >= 2);
    serving.serves("after a kill");
}

#[test]
fn a_drain_takes_one_pod_of_a_service_at_a_time_and_waits_for_its_replacement() {
    let serving = Serving::new();
    let kubectl = &serving.installation.kubectl;
    let node = name(&kubectl.list(&["nodes"])[0]);
    let drain = ["drain", &node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=30s"];
    let drained = kubectl.command(&drain).output().unwrap();
    let said = String::from_utf8_lossy(&drained.stderr).into_owned();
    let alive: Vec<_> = SERVICES.iter().map(|service| kubectl.ready(service)).collect();
    let health = serving.installation.shell.lines("curl -sS --fail https://api.example.com/v1/health");
    kubectl.run(&["uncordon", &node]);
    assert!(!drained.status.success() && said.contains("disruption budget"), "{said}");
    assert!(alive.iter().all(|ready| *ready >= 1), "{alive:?}: {said}");
    assert!(health.contains("\"healthy\""), "{health}");
    for service in SERVICES {
        until(Duration::from_mins(2), "all pods are back", || kubectl.ready(service) >= 2);
    }
    serving.serves("after the drain");
}

#[test]
fn two_minutes_without_the_database_take_pods_out_of_service_but_never_restart_them() {
    let mut serving = Serving::new();
    let token = serving.installation.token();
    let users = format!(
        "curl -sS -o /dev/null -D - 'https://api.example.com/v1/users?limit=5' -H 'Authorization: Bearer {token}'"
    );
    serving.installation.database.gate.shut();
    let away = Instant::now();
    let kubectl = serving.installation.kubectl.clone();
    let mut left = None;
    while away.elapsed() < Duration::from_mins(2) {
        let none_ready = SERVICES.iter().all(|service| kubectl.ready(service) == 0);
        left = left.or(none_ready.then(|| away.elapsed()));
        assert!(!serving.installation.shell.lines(&users).contains(" 200"), "an answer without a database");
        thread::sleep(Duration::from_millis(500));
    }
    serving.installation.database.gate.open();
    let left = left.expect("no pod left the service");
    assert!(left > TOLERATED, "they left after {left:?}");
    let healed = until(Duration::from_mins(1), "all pods serve again", || {
        SERVICES.iter().all(|service| kubectl.ready(service) >= 2)
            && serving.installation.shell.lines(&users).contains(" 200")
    });
    println!("out of service after {left:?}, back {healed:?} after the database was");
    for pod in SERVICES.iter().flat_map(|service| kubectl.pods(service)) {
        assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0, "{} was restarted", name(&pod));
    }
}
