//! `runbook version`

use crate::{
    origin::Released,
    project::Said,
    registry::{self, Mood},
};
use serde_json::Value;
use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const RELEASE: &str = "[release]\nmentions = [\"README.md\"]\n";

/// Commits are others each time, and days are.
fn steady(text: &str) -> String {
    let commit = regex::Regex::new("[0-9a-f]{40}").unwrap();
    let blob = regex::Regex::new("\nindex [^\n]*").unwrap();
    let text = blob.replace_all(text, "");
    let day = regex::Regex::new(r"- 20\d\d-\d\d-\d\d").unwrap();
    day.replace_all(&commit.replace_all(&text, "COMMIT"), "- DAY").into_owned()
}

#[test]
fn the_document_s_two_lines_count_from_the_newest_of_all() {
    let released = Released::new("");
    let said = released.project.runbook(&["version"]);
    assert_eq!((said.code, &*said.err, &*said.out), (0, "", "Current version: 1.2.3\nNew version: 1.2.4\n"));
    // A tag that only origin has, and one that is no release.
    released.git(&["tag", "v1.3.9"]);
    released.git(&["tag", "v2.0.0-rc.1"]);
    released.git(&["push", "--quiet", "--tags", "origin"]);
    released.git(&["tag", "--delete", "v1.3.9"]);
    let json: Value = serde_json::from_str(&released.project.runbook(&["version", "--output", "json"]).out).unwrap();
    assert_eq!(
        (&json["current"], &json["current_of"], &json["new"]),
        (&"1.3.9".into(), &"tag".into(), &"1.3.10".into())
    );
}

#[test]
fn tags_of_images_count_and_a_registry_that_does_not_tell_is_a_warning() {
    let other = "[environments.staging]\nurl = \"https://staging.example.com\"\n";
    let released = Released::new("");
    let address = registry::start(released.project.path(), Mood::Well);
    let toml = released.project.read("runbook.toml");
    released.project.write("runbook.toml", &format!("{toml}registry = \"{address}/team\"\n"));
    assert_eq!(
        released.project.runbook(&["version"]).out,
        "Current version: 1.2.3\nNew version: 1.2.4\n",
        "nothing was pushed yet"
    );
    released
        .project
        .write("registry/team/api-platform/auth-service/1.4.0", "abc")
        .write("registry/team/api-platform/auth-service/latest", "abc");
    assert_eq!(released.project.runbook(&["version"]).out, "Current version: 1.4.0\nNew version: 1.4.1\n");
    for (mood, why) in [
        (Mood::Failing, "does not tell of api-platform/auth-service: "),
        (Mood::Closed, "tells nothing of api-platform/auth-service to this login: docker login 127.0.0.1:"),
        (Mood::Silent, "does not answer within 10 s"),
    ] {
        let down = registry::start(released.project.path(), mood);
        released
            .project
            .write("runbook.toml", &format!("{toml}registry = \"{address}/team\"\n{other}registry = \"{down}\"\n"));
        let said = released.project.runbook(&["version"]);
        assert_eq!((said.code, &*said.err), (0, ""));
        let lines: Vec<_> = said.out.lines().collect();
        assert_eq!(lines[..2], ["Current version: 1.4.0", "New version: 1.4.1"]);
        assert!(lines[2].starts_with(&format!("warning: {down} {why}")), "{}", said.out);
    }
}

/// With a generator, and two commits after its last tag.
fn with_news() -> Released {
    let generator = "generators = [\"grep -h appVersion helm/api-platform/Chart.yaml > generated.txt\"]\n";
    let released = Released::new(&format!("{RELEASE}{generator}"));
    released.git(&["tag", "v1.2.3"]);
    fs::write(released.project.path().join("app/src/lib.rs"), "//! Still empty.\n").unwrap();
    released.commit("fix: a login that hung");
    released.commit("runbook/doom: names a missing secret");
    released.push();
    released
}

#[test]
fn a_release_is_one_commit_and_each_command_is_shown() {
    let released = with_news();
    let before = released.head();
    let said = released.project.runbook(&["version", "--write"]);
    assert_eq!((said.code, &*said.err), (0, ""), "{}", said.out);
    insta::assert_snapshot!(steady(&said.out), @"
    Current version: 1.2.3
    New version: 1.2.4
    $ cargo update --quiet --workspace --offline
    $ grep -h appVersion helm/api-platform/Chart.yaml > generated.txt
    $ git add --all
    $ git commit --quiet --allow-empty --message 'Release 1.2.4'
    ok: COMMIT is the release commit of 1.2.4
      look: git show --stat
      next: git push origin main
      next: runbook build --version 1.2.4
    ");
    assert_eq!(released.git(&["log", "--format=%s", &format!("{before}..HEAD")]), "Release 1.2.4");
    assert_eq!(released.git(&["status", "--porcelain"]), "");
}

#[test]
fn everything_that_says_the_version_is_changed_and_nothing_else() {
    let released = with_news();
    assert_eq!(released.project.runbook(&["version", "--write"]).code, 0);
    insta::assert_snapshot!(steady(&released.git(&["show", "--format=", "--unified=0"])), @r#"
    diff --git a/CHANGELOG.md b/CHANGELOG.md
    --- a/CHANGELOG.md
    +++ b/CHANGELOG.md
    @@ -4,0 +5,2 @@
    +## [1.2.4] - DAY
    +
    @@ -7,0 +10,6 @@
    +### Changed
    +- runbook/doom: names a missing secret
    +
    +### Fixed
    +- a login that hung
    +
    diff --git a/Cargo.lock b/Cargo.lock
    --- a/Cargo.lock
    +++ b/Cargo.lock
    @@ -7 +7 @@ name = "app"
    -version = "1.2.3"
    +version = "1.2.4"
    diff --git a/Cargo.toml b/Cargo.toml
    --- a/Cargo.toml
    +++ b/Cargo.toml
    @@ -6 +6 @@ resolver = "3"
    -version = "1.2.3" # ours
    +version = "1.2.4" # ours
    diff --git a/README.md b/README.md
    --- a/README.md
    +++ b/README.md
    @@ -1 +1 @@
    -Run `api-platform/auth-service:1.2.3`, of postgres:1.2.3.
    +Run `api-platform/auth-service:1.2.4`, of postgres:1.2.3.
    diff --git a/generated.txt b/generated.txt
    new file mode 100644
    --- /dev/null
    +++ b/generated.txt
    @@ -0,0 +1 @@
    +appVersion: "1.2.4"
    diff --git a/helm/api-platform/Chart.yaml b/helm/api-platform/Chart.yaml
    --- a/helm/api-platform/Chart.yaml
    +++ b/helm/api-platform/Chart.yaml
    @@ -2,2 +2,2 @@ name: api-platform
    -version: 1.2.3
    -appVersion: "1.2.3"
    +version: 1.2.4
    +appVersion: "1.2.4"
    diff --git a/helm/values-prod.yaml b/helm/values-prod.yaml
    --- a/helm/values-prod.yaml
    +++ b/helm/values-prod.yaml
    @@ -4 +4 @@ image:
    -  tag: 1.2.3
    +  tag: 1.2.4
    diff --git a/k8s/production/deployment.yaml b/k8s/production/deployment.yaml
    --- a/k8s/production/deployment.yaml
    +++ b/k8s/production/deployment.yaml
    @@ -2,2 +2,2 @@ labels:
    -  app.kubernetes.io/version: "1.2.3"
    -image: registry.test/api-platform/auth-service:1.2.3
    +  app.kubernetes.io/version: "1.2.4"
    +image: registry.test/api-platform/auth-service:1.2.4
    diff --git a/services/auth/Dockerfile b/services/auth/Dockerfile
    --- a/services/auth/Dockerfile
    +++ b/services/auth/Dockerfile
    @@ -2 +2 @@ FROM scratch
    -ARG VERSION=1.2.3
    +ARG VERSION=1.2.4
    "#);
}

#[test]
fn written_twice_there_is_nothing_to_do() {
    let released = Released::new("");
    assert_eq!(released.project.runbook(&["version", "--write"]).code, 0);
    let head = released.head();
    let again = released.project.runbook(&["version", "--write"]);
    assert_eq!(again.code, 5);
    assert_eq!(again.err, "");
    insta::assert_snapshot!(again.out, @"
    Current version: none
    New version: 1.2.4
    ok: nothing to do: HEAD is the release commit of 1.2.4 already
      next: runbook build --version 1.2.4
    ");
    let programs = released.project.runbook(&["version", "--write", "--output", "json"]);
    let last: serde_json::Value = serde_json::from_str(programs.out.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["event"], &last["exit"], &last["next"]),
        (&"result".into(), &5.into(), &"runbook build --version 1.2.4".into())
    );
    assert_eq!(released.head(), head);
    released.git(&["tag", "v1.2.4"]);
    assert_eq!(released.project.runbook(&["version"]).out, "Current version: 1.2.4\nNew version: 1.2.5\n");
    assert_eq!(released.project.runbook(&["version", "--write"]).code, 5);
}

#[test]
fn a_tag_with_nothing_after_it_is_released_already() {
    let released = Released::new("");
    released.git(&["tag", "v1.2.3"]);
    let said = released.project.runbook(&["version", "--write"]);
    assert_eq!((said.code, &*said.err), (5, ""));
    assert!(said.out.ends_with("ok: nothing to do: nothing was committed since v1.2.3\n"), "{}", said.out);
}

#[test]
fn what_a_release_must_not_be_made_from_is_refused_with_the_way_out() {
    let released = Released::new("");
    let refused = || {
        let head = released.head();
        let said = released.project.runbook(&["version", "--write"]);
        assert_eq!((said.code, &*said.out, released.head()), (2, "", head), "{}", said.err);
        steady(&said.err)
    };
    released.project.write("README.md", "Changed.\n").write("new.md", "");
    insta::assert_snapshot!(refused(), @"
    error: files have changes that no commit has: M README.md, and 1 more
      why: a release is exactly a commit
      cure: git add --all && git commit    # or: git stash --include-untracked
    ");
    released.git(&["checkout", "--quiet", "README.md"]);
    fs::remove_file(released.project.path().join("new.md")).unwrap();
    released.git(&["checkout", "--quiet", "-b", "feature"]);
    insta::assert_snapshot!(refused(), @"
    error: feature is checked out, and releases are made on main
      cure: git checkout main
    ");
    released.git(&["checkout", "--quiet", "main"]);
    released.commit("fix: of somebody else");
    released.push();
    released.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    insta::assert_snapshot!(refused(), @"
    error: main is behind origin/main by 1
      why: what others pushed would not be in the release
      cure: git pull --ff-only origin main
    ");
}

#[test]
fn an_origin_that_does_not_answer_is_said_and_nothing_is_written() {
    let released = Released::new("");
    released.git(&["remote", "set-url", "origin", "/nowhere/at/all"]);
    let said = released.project.runbook(&["version", "--write"]);
    assert_eq!((said.code, &*said.out), (1, ""));
    assert!(said.err.starts_with("error: origin cannot be fetched, so nobody knows whether this is its newest commit\n  why: fatal: '/nowhere/at/all' does not"), "{}", said.err);
    assert!(said.err.ends_with("  cure: git fetch --quiet --tags origin\n"), "{}", said.err);
    assert_eq!(released.git(&["status", "--porcelain"]), "");
    let read = released.project.runbook(&["version"]);
    assert_eq!(read.code, 0);
    assert!(read.out.contains("warning: origin does not tell its tags: "), "{}", read.out);
}

#[test]
fn a_version_that_is_another_commit_s_already_is_refused() {
    let released = Released::new("");
    // Somebody built one by hand.
    released.project.program("docker", "echo 0123456789abcdef");
    let said = released.project.runbook(&["version", "--write"]);
    assert_eq!(said.code, 2);
    insta::assert_snapshot!(said.err, @"
    error: api-platform/auth-service:1.2.4 is there already, of 0123456789abcdef
      why: a version is built once, from its release commit
      cure: docker image rm api-platform/auth-service:1.2.4
    ");
    released.project.program("docker", "echo Error: No such image >&2; exit 1");
    let address = registry::start(released.project.path(), Mood::Well);
    released
        .project
        .write("runbook.toml", &format!("{}registry = \"{address}\"\n", released.project.read("runbook.toml")));
    released.commit("chore: a registry");
    released.push();
    assert_eq!(released.project.runbook(&["version", "--write"]).code, 0);
    released.project.write("registry/api-platform/auth-service/1.2.4", &released.head());
    assert_eq!(released.project.runbook(&["version", "--write"]).code, 5, "its own image");
    released.project.write("registry/api-platform/auth-service/1.2.4", "0123456789abcdef");
    let said = released.project.runbook(&["version", "--write"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("auth-service:1.2.4 is there already, of 0123456789abcdef\n"), "{}", said.err);
    released.git(&["tag", "v1.2.4", "HEAD~1"]);
    let said = released.project.runbook(&["version", "--write"]);
    assert_eq!(said.code, 2);
    insta::assert_snapshot!(steady(&said.err), @"
    error: v1.2.4 is the tag of another commit, COMMIT
      why: HEAD says that it is the release of 1.2.4 as well, and a version is one commit
      cure: git reset --keep HEAD~1    # then: runbook version --write; v1.2.4 stays what it is
    ");
}

#[test]
fn what_a_failed_generator_leaves_is_put_aside() {
    let released = Released::new("[release]\ngenerators = [\"echo half > half.txt; echo no disk >&2; exit 3\"]\n");
    let head = released.head();
    let said = released.project.runbook(&["version", "--write"]);
    assert_eq!(said.code, 1);
    insta::assert_snapshot!(said.err, @"
    error: echo half > half.txt; echo no disk >&2; exit 3 failed: no disk
      why: the files are as they were; what was written is in git's stash: git stash show --patch
    ");
    assert_eq!((released.head(), &*released.git(&["status", "--porcelain"])), (head, ""));
    assert!(released.git(&["stash", "list"]).contains("runbook version --write, 1.2.4, which failed"));
    let kept = released.git(&["show", "--name-only", "--format=", "stash@{0}^3"]);
    assert_eq!(kept, "half.txt");
}

#[test]
fn killed_in_the_middle_it_leaves_changes_that_are_named_and_no_commit() {
    let released = Released::new("[release]\ngenerators = [\"touch begun; [ -e .home/fast ] || sleep 60\"]\n");
    let head = released.head();
    let mut running = released.project.command(&["version", "--write"]).stdout(Stdio::null()).spawn().unwrap();
    let patience = Instant::now() + Duration::from_secs(30);
    while !released.project.path().join("begun").exists() {
        assert!(Instant::now() < patience, "the generator was not begun");
        thread::sleep(Duration::from_millis(10));
    }
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(released.head(), head);
    let refused = released.project.runbook(&["version", "--write"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("files have changes that no commit has: M CHANGELOG.md"), "{}", refused.err);
    released.git(&["stash", "--quiet", "--include-untracked"]);
    released.project.write(".home/fast", "");
    let said = released.project.runbook(&["version", "--write"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(released.git(&["rev-parse", "HEAD~1"]), head);
}

#[test]
fn git_is_told_who_commits_before_anything_is_written() {
    let released = Released::new("");
    released.git(&["config", "user.useConfigOnly", "true"]);
    let mut command = released.project.command(&["version", "--write"]);
    for name in ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL"] {
        command.env_remove(name);
    }
    let said = Said::of(&command.output().unwrap());
    assert_eq!(said.code, 2);
    assert!(said.err.starts_with("error: git does not know who commits\n"), "{}", said.err);
    assert_eq!(released.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_project_with_nothing_but_git_gets_its_release_commit_too() {
    let released = Released::new("");
    released.git(&["tag", "v1.2.3"]);
    released.git(&[
        "rm",
        "-r",
        "--quiet",
        "Cargo.toml",
        "Cargo.lock",
        "app",
        "CHANGELOG.md",
        "helm",
        "k8s",
        "services",
        "README.md",
    ]);
    released.commit("remove: everything");
    released.push();
    let said = released.project.runbook(&["version", "--write"]);
    assert_eq!((said.code, &*said.err), (0, ""), "{}", said.out);
    assert_eq!(released.git(&["log", "-1", "--format=%s"]), "Release 1.2.4");
}

#[test]
fn the_example_for_programs_works() {
    let released = Released::new("");
    let said = released.project.runbook(&["version", "--write", "--output", "json"]);
    let events: Vec<Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["version", "command", "command", "command", "written"]);
    assert_eq!(events.last().unwrap()["commit"], released.head().as_str());
    let help = Command::new(env!("CARGO_BIN_EXE_runbook")).args(["version", "--help"]).output().unwrap();
    assert!(String::from_utf8(help.stdout).unwrap().contains("runbook version --write"));
}
