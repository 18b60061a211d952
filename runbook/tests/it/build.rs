//! `runbook build`

use crate::{
    origin::Released,
    project::Said,
    registry::{self, Mood},
};
use serde_json::Value;
use std::{
    fs,
    process::{Child, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// A docker that keeps what it has in `.home/docker`: images as files with the commit of their label, and every call of
/// it. With the file `fail` or `stall` of a command it fails before, or is slow after, it did what it was asked.
const DOCKER: &str = r#"here=.home/docker
mkdir -p $here/local
echo "$*" >> $here/calls
file() { echo "$1" | tr '/:' '__'; }
moody() {
  if [ -e $here/fail.$1 ]; then echo "$1: no space left on device" >&2; exit 1; fi
}
slow() {
  if [ -e $here/stall.$1 ]; then echo $$ > $here/pid; sleep 60; fi
}
case "$1" in
  build) moody build; echo "${7#*=}" > "$here/local/$(file "$3")"; slow build;;
  image) cat "$here/local/$(file "$5")" 2>/dev/null || { echo "Error: No such image: $5" >&2; exit 1; };;
  push)
    moody push
    path=${2#*/}; mkdir -p "registry/${path%:*}"
    cp "$here/local/$(file "$2")" "registry/${path%:*}/${path##*:}"; slow push;;
esac"#;

const IMAGE: &str = "api-platform/auth-service";

/// With a release commit of 1.2.4, a registry, and that docker.
fn written(mood: Mood) -> (Released, String) {
    let released = Released::new("");
    let address = registry::start(released.project.path(), mood);
    let toml = released.project.read("runbook.toml");
    let sbom = "[release]\nsbom = \"echo made; echo target/sbom.json\"\n";
    released
        .project
        .write("runbook.toml", &format!("{toml}registry = \"{address}\"\n{sbom}"))
        .program("docker", DOCKER);
    released.commit("chore: a registry");
    released.push();
    assert_eq!(released.project.runbook(&["version", "--write"]).code, 0);
    (released, address)
}

fn build(released: &Released) -> Said {
    released.project.runbook(&["build", "production", "--version", "1.2.4"])
}

/// How often docker was asked to.
fn calls(released: &Released, command: &str) -> usize {
    released.project.read(".home/docker/calls").lines().filter(|line| line.starts_with(command)).count()
}

fn steady(text: &str, released: &Released, address: &str) -> String {
    let head = released.head();
    let text =
        text.replace(&registry::digest_of(&head), "DIGEST").replace(&head, "COMMIT").replace(address, "REGISTRY");
    let text = regex::Regex::new("[0-9a-f]{64}").unwrap().replace_all(&text, "HASH");
    regex::Regex::new(r"  [0-9]+\.[0-9] s\n").unwrap().replace_all(&text, "  TIME\n").into_owned()
}

#[test]
fn an_image_is_built_and_pushed_once_and_its_digest_is_recorded() {
    let (released, address) = written(Mood::Well);
    let said = build(&released);
    assert_eq!((said.code, &*said.err), (0, ""), "{}", said.out);
    insta::assert_snapshot!(steady(&said.out, &released, &address), @"
    runbook build production --version 1.2.4:
    Step 2: Build and Tag Docker Images:
    - Release commit
        git log -1 --format=%s    # Release 1.2.4
    - Build auth-service
        docker build -t REGISTRY/api-platform/auth-service:1.2.4 -f services/auth/Dockerfile --build-arg REVISION=COMMIT .
        undone by: docker image rm REGISTRY/api-platform/auth-service:1.2.4
    - Write what it is made of
        echo made; echo target/sbom.json
    - Tag as latest
        docker tag REGISTRY/api-platform/auth-service:1.2.4 REGISTRY/api-platform/auth-service:latest
    - Push auth-service
        docker push REGISTRY/api-platform/auth-service:1.2.4
    plan HASH
    begun 2.1.commit: Release commit
    done 2.1.commit  TIME
          COMMIT is the release commit of 1.2.4
    begun 2.3.build.auth-service: Build auth-service
    done 2.3.build.auth-service  TIME
          REGISTRY/api-platform/auth-service:1.2.4 of COMMIT
    begun 2.3.sbom: Write what it is made of
    done 2.3.sbom  TIME
          target/sbom.json
    begun 2.4.latest: Tag as latest
    done 2.4.latest  TIME
          latest stays at what was verified last; `runbook finish` moves it, by digest, when this version is
    begun 2.5.push.auth-service: Push auth-service
    done 2.5.push.auth-service  TIME
          REGISTRY/api-platform/auth-service:1.2.4@DIGEST
    ");
    let runs = released.project.path().join(".runbook/runs");
    let journal = fs::read_to_string(fs::read_dir(runs).unwrap().next().unwrap().unwrap().path()).unwrap();
    assert!(journal.contains(&format!("{address}/{IMAGE}:1.2.4@{}", registry::digest_of(&released.head()))));
    assert_eq!(released.git(&["status", "--porcelain"]), "", "journals are not git's");
    let again = build(&released);
    let answer =
        "ok: nothing to do: the images of 1.2.4 are in the registry\n  why: built from its release commit, each once\n";
    assert_eq!((again.code, &*again.out, &*again.err), (5, answer, ""));
    assert_eq!((calls(&released, "build "), calls(&released, "push "), calls(&released, "tag ")), (1, 1, 0));
    let tags: Vec<_> = fs::read_dir(released.project.path().join("registry").join(IMAGE))
        .unwrap()
        .map(|tag| tag.unwrap().file_name())
        .collect();
    assert_eq!(tags, ["1.2.4"], "latest stays where it is");
}

#[test]
fn what_failed_is_gone_on_with() {
    let (released, address) = written(Mood::Well);
    released.project.write(".home/docker/fail.build", "");
    let said = build(&released);
    assert_eq!(said.code, 6);
    assert!(said.out.contains("failed 2.3.build.auth-service: build: no space left on device  "), "{}", said.out);
    fs::remove_file(released.project.path().join(".home/docker/fail.build")).unwrap();
    released.project.write(".home/docker/fail.push", "");
    let said = build(&released);
    assert_eq!(said.code, 6);
    insta::assert_snapshot!(steady(&said.err, &released, &address), @"
    error: the images of 1.2.4 are not all in the registry
      why: what is built and pushed is kept, and not done again
      cure: runbook build production --version 1.2.4
    ");
    fs::remove_file(released.project.path().join(".home/docker/fail.push")).unwrap();
    let said = build(&released);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.out.contains("done 2.3.build.auth-service: is so already  "), "{}", said.out);
    assert_eq!((calls(&released, "build "), calls(&released, "push ")), (2, 2), "each failed once");
}

/// In the middle of a command that has done already what it was asked.
fn killed_during(released: &Released, command: &str) {
    let stall = released.project.path().join(format!(".home/docker/stall.{command}"));
    let pid = released.project.path().join(".home/docker/pid");
    fs::write(&stall, "").unwrap();
    let mut running = start(released);
    let patience = Instant::now() + Duration::from_secs(30);
    while !pid.exists() {
        assert!(Instant::now() < patience, "docker {command} was not begun");
        sleep(Duration::from_millis(10));
    }
    let beside = build(released);
    assert_eq!(beside.code, 2);
    assert!(beside.err.starts_with("error: another `runbook build` runs in this folder\n"), "{}", beside.err);
    running.kill().unwrap();
    running.wait().unwrap();
    fs::remove_file(stall).unwrap();
    fs::remove_file(pid).unwrap();
}

fn start(released: &Released) -> Child {
    let mut command = released.project.command(&["build", "production", "--version", "1.2.4"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn killed_in_the_middle_of_a_build_and_of_a_push_everything_is_done_once() {
    let (released, _) = written(Mood::Well);
    killed_during(&released, "build");
    killed_during(&released, "push");
    let said = build(&released);
    assert_eq!(said.code, 5, "{}", said.out);
    assert_eq!((calls(&released, "build "), calls(&released, "push ")), (1, 1));
}

#[test]
fn a_killed_build_is_gone_on_with_by_the_line_that_its_page_shows() {
    let (released, _) = written(Mood::Well);
    killed_during(&released, "build");
    let runs = fs::read_dir(released.project.path().join(".runbook/runs")).unwrap();
    let names: Vec<_> = runs.map(|run| run.unwrap().file_name().into_string().unwrap()).collect();
    let run = names[0].trim_end_matches(".jsonl");
    let shown = released.project.runbook(&["show", run]).out;
    assert!(shown.contains(&format!("runbook resume {run}\n")), "{shown}");
    assert!(!shown.contains("runbook rollback"), "there is nothing to go back from: {shown}");
    let said = released.project.runbook(&["resume", run]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert_eq!((calls(&released, "build "), calls(&released, "push ")), (1, 1));
    assert_eq!(names.len(), 1, "it is the same run");
    assert_eq!(released.project.runbook(&["resume", run]).code, 5, "it is over");
}

#[test]
fn what_is_not_the_release_commit_is_not_built() {
    let (released, address) = written(Mood::Well);
    let refused = |version: &str| {
        let said = released.project.runbook(&["build", "production", "--version", version]);
        assert_eq!((said.code, &*said.out), (2, ""), "{}", said.err);
        steady(&said.err, &released, &address)
    };
    insta::assert_snapshot!(refused("1.2.5"), @"
    error: COMMIT is the release commit of 1.2.4, not of 1.2.5
      why: images are built from the commit that says their version
      cure: runbook build --version 1.2.4
    ");
    released.project.write("README.md", "Changed.\n");
    insta::assert_snapshot!(refused("1.2.4"), @"
    error: files have changes that no commit has: M README.md
      why: a release is exactly a commit
      cure: git add --all && git commit    # or: git stash --include-untracked
    ");
    released.git(&["checkout", "--quiet", "README.md"]);
    released.project.write("registry/api-platform/auth-service/1.2.4", "0123456789abcdef");
    insta::assert_snapshot!(refused("1.2.4"), @"
    error: REGISTRY/api-platform/auth-service:1.2.4 is there already, of 0123456789abcdef
      why: a version is built once, from its release commit
      cure: git reset --keep HEAD~1    # then: runbook version --write, for the next version
    ");
    fs::remove_dir_all(released.project.path().join("registry")).unwrap();
    let image = format!("{address}/{IMAGE}:1.2.4").replace(['/', ':'], "_");
    released.project.write(&format!(".home/docker/local/{image}"), "0123456789abcdef");
    insta::assert_snapshot!(refused("1.2.4"), @"
    error: REGISTRY/api-platform/auth-service:1.2.4 is there already, of 0123456789abcdef
      why: a version is built once, from its release commit
      cure: docker image rm REGISTRY/api-platform/auth-service:1.2.4
    ");
    released.git(&["tag", "v1.2.4"]);
    released.commit("fix: after the release");
    insta::assert_snapshot!(refused("1.2.4").replace(&released.git(&["rev-parse", "HEAD~1"]), "RELEASED"), @"
    error: v1.2.4 is the tag of RELEASED, and COMMIT is checked out
      why: images of a version are of its commit
      cure: git checkout v1.2.4
    ");
    assert_eq!(calls(&released, "build ") + calls(&released, "push "), 0);
}

#[test]
fn a_registry_that_does_not_tell_keeps_from_building() {
    for mood in [Mood::Failing, Mood::Silent, Mood::Closed] {
        let (released, address) = written(mood);
        let said = build(&released);
        assert_eq!((said.code, &*said.out), (1, ""));
        assert!(said.err.starts_with(&format!("error: {address} ")), "{}", said.err);
        assert_eq!(calls(&released, "build "), 0, "what a registry has is asked before anything is built");
    }
}

#[test]
fn programs_read_each_step_as_a_line() {
    let (released, _) = written(Mood::Well);
    let said = released.project.runbook(&["build", "production", "--version", "1.2.4", "--output", "json"]);
    let events: Vec<Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let done: Vec<_> =
        events.iter().filter(|event| event["state"] == "done").map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(done, ["2.1.commit", "2.3.build.auth-service", "2.3.sbom", "2.4.latest", "2.5.push.auth-service"]);
    assert_eq!(released.project.runbook(&["build", "production", "--version", "v1.2.4"]).code, 64);
    assert_eq!(released.project.runbook(&["build", "nowhere", "--version", "1.2.4"]).code, 64);
}
