//! Two operators at one installation: one waits, and one whose lock was stolen changes nothing any more.

use super::name;
use crate::faults::SERVICES;
use cluster_tests::{AtWork, Installation, Kubectl, Operator, Tool, given, until};
use serde_json::Value;
use std::{fs, time::Duration};

/// With processes of their own, as on another machine: whether somebody there lives is seen by their renewals alone.
const ELSEWHERE: &str = "unshare --pid --fork --kill-child --mount-proc env USER=bob";
const STEAL: &str = "runbook lock steal staging --reason \"ada's laptop sleeps\"";

fn deploy() -> String {
    format!("runbook deploy staging --version {} --output json", given("EAP_TEST_NEXT_VERSION"))
}

/// Until a step is begun.
fn begins(at_work: &mut AtWork, step: &str) {
    at_work.says(|line| {
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        event["event"] == "step" && event["id"] == step && event["state"] == "begun"
    });
}

/// The status of each of helm's revisions.
fn history(installation: &Installation) -> Vec<String> {
    let history = installation.shell.lines("helm history api-platform --namespace production --output json");
    let history: Vec<Value> = serde_json::from_str(&history).unwrap();
    history.iter().map(|revision| revision["status"].as_str().unwrap().to_owned()).collect()
}

/// What was asked of the cluster for each service, and how often that was changed.
fn wanted(kubectl: &Kubectl) -> Vec<(Value, Value)> {
    let deployments = SERVICES.map(|service| kubectl.get(&["deployment", service]));
    deployments.map(|it| (it["metadata"]["generation"].clone(), it["spec"].clone())).into()
}

fn is_helm_upgrading() -> bool {
    let lines = fs::read_dir("/proc").unwrap().flatten();
    let lines = lines.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.into_iter().any(|line| line.starts_with(b"helm\0upgrade\0"))
}

/// No new pod finds room, until it is dropped.
struct Cordon<'a>(&'a Kubectl, String);

impl<'a> Cordon<'a> {
    fn new(kubectl: &'a Kubectl) -> Self {
        let node = name(&kubectl.list(&["nodes"])[0]);
        kubectl.run(&["cordon", &node]);
        Self(kubectl, node)
    }
}

impl Drop for Cordon<'_> {
    fn drop(&mut self) {
        let _ = self.0.command(&["uncordon", &self.1]).output();
    }
}

#[test]
fn a_second_operator_waits_and_a_robbed_ones_helm_is_ended_and_changes_nothing() {
    let installation = Installation::new(Tool::Helm3);
    installation.helm(&given("EAP_TEST_VERSION"));
    let _ingress = installation.ingress();
    let (ada, bob) = (Operator::new(&installation), Operator::new(&installation));
    let cordon = Cordon::new(&installation.kubectl);
    let mut adas = ada.starts(&format!("env USER=ada {}", deploy()));
    begins(&mut adas, "4.3.upgrade");
    let refused = bob.types(&format!("{ELSEWHERE} {}", deploy()));
    assert_eq!(refused.code, Some(2), "{}", refused.text);
    for part in ["ada@", " holds staging since ", ", at 4.3.upgrade", "runbook attach ", "runbook lock steal staging"] {
        assert!(refused.text.contains(part), "{part}: {}", refused.text);
    }
    until(Duration::from_mins(1), "helm has begun", || history(&installation) == ["deployed", "pending-upgrade"]);
    adas.freezes();
    assert!(is_helm_upgrading(), "it waits for pods, and nobody looks after it");

    let stolen = bob.does(&format!("{ELSEWHERE} {STEAL}"));
    assert!(stolen.contains("staging is free; it was taken from ada@"), "{stolen}");
    let before = wanted(&installation.kubectl);
    adas.thaws();
    let (code, said) = adas.ends();
    assert_eq!(code, Some(6), "{said}");
    assert!(said.contains("the lock was lost"), "{said}");
    assert!(!said.contains("\"begun\""), "nothing was begun any more: {said}");
    assert!(!is_helm_upgrading(), "its helm has ended");
    assert_eq!(history(&installation), ["deployed", "failed"], "helm wrote down how far it came");
    assert_eq!(wanted(&installation.kubectl), before);

    drop(cordon);
    let done = bob.does(&format!("{ELSEWHERE} {}", deploy()));
    assert!(done.contains("8 of 8"), "{done}");
    assert_eq!(history(&installation), ["superseded", "failed", "deployed"]);
}

#[test]
fn a_robbed_operators_migration_is_refused_by_the_database() {
    let installation = Installation::new(Tool::Helm3);
    installation.helm(&given("EAP_TEST_VERSION"));
    let _ingress = installation.ingress();
    let (ada, bob) = (Operator::new(&installation), Operator::new(&installation));
    let sql = |statement: &str| installation.database.sql("api_platform", statement);
    // The next version's migration changes this table, and waits for whoever reads it.
    let reader = installation.database.session("api_platform", "SELECT count(*) FROM organizations");
    let mut adas = ada.starts(&format!("env USER=ada {}", deploy()));
    begins(&mut adas, "3.5.up");
    let waits = "SELECT count(*) FROM pg_locks WHERE relation = 'organizations'::regclass AND NOT granted";
    until(Duration::from_mins(1), "the migration waits", || sql(waits) != "0");
    adas.freezes();
    let token = "SELECT token FROM _migration_fence WHERE environment = 'staging'";
    let hers = sql(token);
    bob.does(&format!("{ELSEWHERE} {STEAL}"));
    let bobs = bob.starts(&format!("{ELSEWHERE} {}", deploy()));
    until(Duration::from_mins(2), "the fence is raised", || sql(token) != hers);
    let his = sql(token);

    adas.thaws();
    let (code, said) = adas.ends();
    assert_eq!(code, Some(6), "{said}");
    let fenced = format!("this run lost the lock of staging: its token is {hers}, the newest in the database is {his}");
    assert!(said.contains(&fenced), "{said}");
    let applied = "SELECT count(*) FROM _migrations WHERE name LIKE '2099%'";
    assert_eq!(sql(applied), "0", "neither has applied it");

    drop(reader);
    let (code, said) = bobs.ends();
    assert!(code == Some(0) && said.contains("8 of 8"), "{code:?}: {said}");
    assert_eq!(sql(applied), "1");
    assert_eq!(history(&installation), ["superseded", "deployed"]);
}
