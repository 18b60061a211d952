//! Somebody who has read nothing: each first mistake is named, with its cure.

use crate::{
    kubernetes,
    project::{Project, Said},
};
use std::process::Command;

const FILE: &str = r#"[environments.development]
url = "http://localhost:3000"

[environments.staging]
url = "https://api-staging.example.com"
values = "helm/values-staging.yaml"
cluster = { context = "staging-cluster", namespace = "staging" }
"#;

fn git(project: &Project, words: &[&str]) {
    let mut git = Command::new("git");
    git.args(words).current_dir(project.path()).env("GIT_CONFIG_GLOBAL", "/dev/null");
    assert!(git.status().unwrap().success(), "{words:?}");
}

/// For people, and the same for programs.
fn told(project: &Project, words: &[&str]) -> (Said, serde_json::Value) {
    let programs = project.runbook(&[words, &["--output", "json"]].concat());
    assert_eq!(programs.err, "", "programs read standard output: {words:?}");
    let lines: Vec<serde_json::Value> = programs.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.last().unwrap().clone();
    let people = project.runbook(words);
    assert_eq!(people.code, programs.code, "{words:?}");
    assert_eq!(last["exit"], people.code, "{last}");
    assert!(last["cure"].is_string(), "{words:?} has no cure: {last}");
    (people, last)
}

#[test]
fn outside_of_a_project_every_command_says_how_to_begin() {
    let project = Project::new();
    for words in [
        &["envs"][..],
        &["doctor"],
        &["doctor", "staging"],
        &["version"],
        &["build", "--version", "1.2.4"],
        &["plan", "staging", "--version", "1.2.4"],
        &["deploy", "staging", "--version", "1.2.4"],
        &["rollback", "staging"],
        &["verify", "staging"],
        &["smoke", "staging"],
        &["runs"],
        &["show", "nonsense"],
        &["attach", "nonsense"],
        &["approve", "nonsense"],
        &["resume", "nonsense"],
        &["lock", "status", "staging"],
    ] {
        let (said, event) = told(&project, words);
        assert_eq!((said.code, &event["cure"]), (2, &"runbook init".into()), "{words:?}: {}", said.err);
    }
}

#[test]
fn a_wrong_command_line_is_told_to_programs_too() {
    let project = Project::new();
    let (said, event) = told(&project, &["plan", "staging"]);
    assert_eq!(said.code, 64);
    let what = "the following required arguments were not provided: --version <X.Y.Z>";
    assert_eq!((&event["event"], &event["what"]), (&"failure".into(), &what.into()));
    let (_, event) = told(&project, &["doctr"]);
    assert_eq!(event["cure"], "a similar subcommand exists: 'doctor'");
    let nothing = project.runbook(&[]);
    assert!(nothing.code == 64 && nothing.err.contains("runbook doctor production"), "{}", nothing.err);
}

#[test]
fn a_name_that_is_not_there_is_told_with_those_that_are() {
    let project = Project::new();
    project.write("runbook.toml", FILE);
    let (said, event) = told(&project, &["plan", "stagin", "--version", "1.2.4"]);
    insta::assert_snapshot!(said.err, @"
    error: runbook.toml has no environment stagin; it has development, staging
      cure: did you mean `staging`?
    ");
    assert_eq!(event["exit"], 64);
    let (_, event) = told(&project, &["doctor", "prod"]);
    assert_eq!(event["cure"], "runbook envs");
}

#[test]
fn a_broken_file_is_told_with_its_place() {
    let project = Project::new();
    project.write("runbook.toml", &FILE.replace("values =", "value ="));
    insta::assert_snapshot!(told(&project, &["doctor", "staging"]).0.err, @r#"
    error: runbook.toml:6:1: unknown key `value`; there are url, cluster, registry, aws, values, manifests, secrets, database, window, approvals
     6 | value = "helm/values-staging.yaml"
       | ^^^^^
      cure: did you mean `values`?
    "#);
    project.write("runbook.toml", &FILE.replace("\"helm/values-staging.yaml\"", "3"));
    insta::assert_snapshot!(project.runbook(&["envs"]).err, @"
    error: runbook.toml:6:10: a path, or a list of paths
     6 | values = 3
       |          ^
    ");
    project.write("runbook.toml", &FILE.replace("\"https://api-staging.example.com\"", "3"));
    insta::assert_snapshot!(project.runbook(&["envs"]).err, @"
    error: runbook.toml:5:7: invalid type: integer `3`, expected a string
     5 | url = 3
       |       ^
    ");
}

#[test]
fn a_plan_without_a_cluster_or_with_a_wrong_one_says_what_is_missing() {
    let project = Project::new();
    project.write("runbook.toml", FILE);
    let plan = |environment| told(&project, &["plan", environment, "--version", "1.2.4"]).0.err;
    insta::assert_snapshot!(plan("development"), @r#"
    error: development has no cluster
      cure: in runbook.toml, in [environments.development]: cluster = { context = "…", namespace = "…" }
    "#);
    insta::assert_snapshot!(plan("staging"), @r#"
    error: your kubeconfig (KUBECONFIG, else ~/.kube/config) cannot be read: No such file or directory (os error 2)
      why: the cluster is reached by it
      cure: in runbook.toml, in cluster: kubeconfig = "PATH"
    "#);
    project.write(".home/.kube/config", &kubernetes::start(&[]));
    insta::assert_snapshot!(plan("staging"), @r#"
    error: the kubeconfig has no context staging-cluster; it has prod-us-east-1
      why: runbook.toml names it, and your current context is never used instead
      cure: in runbook.toml, in cluster: context = "NAME"
    "#);
    let config = project.read(".home/.kube/config").replace("prod-us-east-1", "staging-cluster");
    let (before, after) = config.split_once("http://127.0.0.1:").unwrap();
    let (_, after) = after.split_once('"').unwrap();
    project.write(".home/.kube/config", &format!("{before}http://127.0.0.1:1\"{after}"));
    insta::assert_snapshot!(plan("staging"), @"
    error: staging-cluster does not answer: Connection refused (os error 111)
      why: is the VPN up?
      cure: kubectl get namespace kube-system --context staging-cluster
    ");
    let said = project.runbook(&["doctor", "development"]);
    assert!(said.out.contains("warning: runbook.toml names no cluster for it"), "{}", said.out);
}

#[test]
fn a_cluster_that_does_not_answer_is_one_line_in_doctor_too() {
    let project = Project::new();
    let logged = "E1130 22:58:25.155924    9046 memcache.go:265] \"Unhandled Error\"";
    project.program(
        "kubectl",
        &format!("echo '{logged}' >&2; echo 'The connection to the server was refused' >&2; exit 1"),
    );
    project.write("runbook.toml", FILE);
    project.write(".home/.kube/config", &kubernetes::start(&[]).replace("prod-us-east-1", "staging-cluster"));
    let said = project.runbook(&["doctor", "staging"]);
    let expected = "error: staging-cluster does not answer: The connection to the server was refused\n";
    assert!(said.out.contains(expected), "{}", said.out);
}

#[test]
fn a_run_that_nobody_knows_is_named_by_every_command_that_takes_one() {
    let project = Project::new();
    project.write("runbook.toml", "[environments.development]\nurl = \"http://localhost:3000\"\n");
    for command in ["show", "resume", "attach", "approve"] {
        let (said, event) = told(&project, &[command, "nonsense"]);
        assert_eq!((said.code, &*said.err), (2, "error: there is no run nonsense\n  cure: runbook runs\n"));
        assert_eq!(event["what"], "there is no run nonsense");
    }
    assert_eq!(project.runbook(&["runs"]).code, 0);
}

#[test]
fn in_a_repository_of_something_else_the_way_leads_on() {
    let project = Project::new();
    git(&project, &["init", "--quiet", "--initial-branch", "main"]);
    let said = project.runbook(&["init"]);
    assert!(said.out.contains("  environments: development\n"), "what is written counts: {}", said.out);
    let (said, _) = told(&project, &["version"]);
    insta::assert_snapshot!(said.err, @"
    error: nothing is committed yet, and a version is a commit's
      cure: git add --all && git commit
    ");
    let (said, event) = told(&project, &["build", "--version", "1.2.4"]);
    assert_eq!(said.code, 2, "{}", said.err);
    assert!(event["cure"].as_str().unwrap().contains("git commit"), "its own runbook.toml is not put away: {event}");
    let said = project.runbook(&["doctor"]);
    assert!(said.out.contains("  cure: git remote add origin git@github.com:OWNER/NAME.git\n"), "{}", said.out);
}

#[test]
fn what_is_for_people_has_colours_only_at_a_terminal_that_wants_them() {
    let project = Project::new();
    project.write("runbook.toml", FILE);
    let piped = project.runbook(&["envs", "--output", "human"]);
    assert!(piped.code == 0 && !piped.out.contains('\u{1b}'), "{}", piped.out);
}
