//! `runbook build` killed while a registry has a part of a layer.

use super::{Registry, Released, said};
use crate::{
    docker::{docker, printed},
    door::Door,
};
use serde_json::Value;
use std::{
    fs,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

const SERVICES: [&str; 3] = ["auth", "user", "org"];

fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// What the registry has of layers that are not there in full, in bytes.
fn uploading(registry: &Registry) -> u64 {
    let mut find = std::process::Command::new("find");
    find.arg(&registry.images).args(["-path", "*/_uploads/*/data", "-printf", "%s\n"]);
    let sizes = find.output().unwrap().stdout;
    String::from_utf8_lossy(&sizes).lines().map(|size| size.parse::<u64>().unwrap()).sum()
}

/// Whether docker is pushing an image.
fn is_pushed_now(image: &str) -> bool {
    let wanted = ["docker", "push", image].join("\0");
    let lines = fs::read_dir("/proc").unwrap().flatten();
    lines
        .filter_map(|process| fs::read_to_string(process.path().join("cmdline")).ok())
        .any(|line| line.starts_with(&wanted))
}

/// The run, and the lines of its journal.
fn journal(released: &Released) -> (String, Vec<Value>) {
    let mut runs = fs::read_dir(released.path().join(".runbook/runs")).unwrap();
    let path = runs.next().unwrap().unwrap().path();
    assert!(runs.next().is_none(), "it is one run");
    let lines = fs::read_to_string(&path).unwrap();
    let run = path.file_stem().unwrap().to_string_lossy().into_owned();
    (run, lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn killed_in_the_middle_of_a_layer_a_push_is_resumed_and_every_image_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start(folder.path());
    let door = Door::before(&registry.address);
    registry.is_logged_in_to(&door.address);
    let released = Released::of(&SERVICES, &door.address, &registry.docker);
    let image = |service: &str| format!("{}/team/api-platform/{service}-service:1.2.4", door.address);
    assert!(released.runbook(&["version", "--write"]).status.success());
    door.hold("PATCH /v2/team/api-platform/user-service/blobs/uploads/");
    let mut build = released.line(&["build", "production", "--version", "1.2.4"]);
    let mut build = build.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    door.wait_until_it_holds();
    until("the registry has nothing of the layer", || uploading(&registry) > 0);
    assert!(is_pushed_now(&image("user")));
    build.kill().unwrap();
    build.wait().unwrap();
    until("docker did not end with what had started it", || !is_pushed_now(&image("user")));
    door.open();

    let (run, _) = journal(&released);
    let shown = said(&released.runbook(&["show", &run]));
    assert!(shown.contains("interrupted at 2.5.push.user-service"), "{shown}");
    assert!(shown.contains(&format!("runbook resume {run}\n")), "{shown}");
    let resumed = released.runbook(&["resume", &run]);
    assert_eq!(resumed.status.code(), Some(0), "{}", said(&resumed));

    let (_, lines) = journal(&released);
    for service in SERVICES {
        let (image, step) = (image(service), format!("2.5.push.{service}-service"));
        let did: Vec<_> = lines.iter().filter(|line| line["event"] == "did" && line["step"] == *step).collect();
        assert!(did.len() == 1 && did[0]["how"] == "applied", "{did:?}");
        let manifest = format!("PUT /v2/team/api-platform/{service}-service/manifests/1.2.4");
        assert_eq!(door.count(&manifest), 1, "{image} was pushed once");
        docker(&["image", "rm", "--force", &image]);
        let pull = ["pull", "--quiet", &image];
        printed(&released.command("docker").args(pull).output().unwrap(), &pull);
        let digest = docker(&["image", "inspect", "--format", "{{index .RepoDigests 0}}", &image]);
        let (_, digest) = digest.trim().split_once('@').unwrap();
        assert_eq!(did[0]["evidence"], format!("{image}@{digest}"));
        let revision = "{{index .Config.Labels \"org.opencontainers.image.revision\"}}";
        let revision = docker(&["image", "inspect", "--format", revision, &image]);
        assert_eq!(revision.trim(), released.git(&["rev-parse", "HEAD"]));
        docker(&["image", "rm", "--force", &image]);
    }
    let again = released.runbook(&["build", "production", "--version", "1.2.4"]);
    assert_eq!(again.status.code(), Some(5), "all are there: {}", said(&again));
}
