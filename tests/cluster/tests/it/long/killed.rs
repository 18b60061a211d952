//! `runbook` killed on a real cluster, and gone on with: each effect is there once.

use cluster_tests::{Installation, Operator, Tool, given};
use serde_json::Value;
use std::{fs, thread, time::Duration};

/// Where it is killed.
struct Point {
    name: &'static str,
    /// When this step is in this state, in the words of `--output json`.
    step: &'static str,
    state: &'static str,
    /// So long after it was told.
    after: Duration,
}

const fn point(name: &'static str, step: &'static str, state: &'static str, after_ms: u64) -> Point {
    Point { name, step, state, after: Duration::from_millis(after_ms) }
}

const DEPLOYING: [Point; 6] = [
    point("while the backup is made", "3.4.backup", "begun", 0),
    point("inside a migration", "3.5.up", "begun", 20),
    point("before helm upgrade", "4.2.template", "done", 0),
    point("in the middle of helm upgrade", "4.3.upgrade", "begun", 3_000),
    point("after helm upgrade", "4.3.upgrade", "done", 0),
    point("between two renewals of the lock", "4.3.upgrade", "begun", 7_000),
];

impl Point {
    fn is(&self, line: &str) -> bool {
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        let is_here = event["event"] == "step" && event["id"] == self.step && event["state"] == self.state;
        if is_here {
            thread::sleep(self.after);
        }
        is_here
    }
}

/// The run that a line of `--output json` or a journal is of.
fn the_run(operator: &Operator<'_>) -> String {
    let mut runs: Vec<_> = fs::read_dir(operator.folder().join(".runbook/runs")).unwrap().flatten().collect();
    runs.sort_by_key(std::fs::DirEntry::file_name);
    let name = runs.pop().unwrap().file_name().into_string().unwrap();
    name.trim_end_matches(".jsonl").to_owned()
}

/// How many revisions of the release hold a version.
fn revisions(installation: &Installation, version: &str) -> usize {
    let history = installation.shell.lines("helm history api-platform --namespace production --output json");
    let history: Vec<Value> = serde_json::from_str(&history).unwrap();
    // What was finished by another revision keeps its word; only the newest decides what helm does next.
    assert_eq!(history.last().unwrap()["status"], "deployed", "{history:?}");
    let tag = |revision: &Value| {
        let number = revision["revision"].to_string();
        let line =
            format!("helm get values api-platform --namespace production --all --output json --revision {number}");
        let values: Value = serde_json::from_str(&installation.shell.lines(&line)).unwrap();
        values["image"]["tag"] == version
    };
    history.iter().filter(|revision| tag(revision)).count()
}

#[test]
fn killed_where_it_hurts_a_deployment_is_resumed_and_everything_is_there_once() {
    let (version, next) = (given("EAP_TEST_VERSION"), given("EAP_TEST_NEXT_VERSION"));
    let deploy = format!("runbook deploy staging --version {next} --reason again --output json");
    for at in &DEPLOYING {
        let installation = Installation::new(Tool::Helm3);
        installation.helm(&version);
        let _ingress = installation.ingress();
        let operator = Operator::new(&installation);
        operator.is_killed_at(&deploy, |line| at.is(line));
        let run = the_run(&operator);
        let said = operator.does(&format!("runbook resume {run}"));
        assert!(said.contains("8 of 8"), "{}: {said}", at.name);
        let applied =
            installation.database.sql("api_platform", "SELECT count(*) FROM _migrations WHERE name LIKE '2099%'");
        assert_eq!(applied, "1", "{}", at.name);
        let backups = operator.types("ls -d .runbook/backups/*/*/ | wc -l").text;
        assert_eq!(backups.trim(), "1", "{}", at.name);
        // One that was killed in its middle was finished by another, which is the same once more.
        let expected = if at.state == "begun" && at.step == "4.3.upgrade" { 1..=2 } else { 1..=1 };
        let count = revisions(&installation, &next);
        assert!(expected.contains(&count), "{}: {count} revisions", at.name);
        println!("{}: resumed, {count} revision(s) of {next}", at.name);
    }
}

#[test]
fn killed_in_the_way_back_and_with_a_torn_journal_a_rollback_is_resumed() {
    let (version, next) = (given("EAP_TEST_VERSION"), given("EAP_TEST_NEXT_VERSION"));
    let installation = Installation::new(Tool::Helm3);
    installation.helm(&version);
    let _ingress = installation.ingress();
    let operator = Operator::new(&installation);
    operator.does(&format!("runbook deploy staging --version {next}"));
    let rollback = "runbook rollback staging --reason \"to be killed\" --output json";
    let in_the_middle = point("mid-rollback", "rollback.2.helm", "begun", 2_000);
    operator.is_killed_at(rollback, |line| in_the_middle.is(line));
    let run = the_run(&operator);
    // What the disk has of a line whose writer was killed.
    let journal = operator.folder().join(format!(".runbook/runs/{run}.jsonl"));
    let mut torn = fs::read(&journal).unwrap();
    torn.extend(b"{\"at\":\"2025-01-17T14:00:00Z\",\"event\":\"did\",\"st");
    fs::write(&journal, torn).unwrap();
    let said = operator.does(&format!("runbook resume {run}"));
    assert!(said.contains("8 of 8"), "{said}");
    let health = installation.shell.lines("curl -sS --fail https://api.example.com/v1/health");
    assert!(health.contains(&format!("\"version\":\"{version}\"")), "{health}");
    assert!(!operator.types(&format!("runbook resume {run}")).good, "what is over is not resumed");
}
