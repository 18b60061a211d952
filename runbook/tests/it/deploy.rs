//! A deployment that waits for somebody, and what is edited meanwhile.

use crate::{
    project::{Project, Said},
    registry::{self, Mood},
    stand_in::StandIn,
};
use jiff::{ToSpan as _, Zoned, tz::TimeZone};
use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use testing::Database;

/// A project with a first release, programs that write down how they were called, and a cluster.
struct Deployment {
    project: Project,
    cluster: StandIn,
}

const HELM: &str = r#"
echo "helm $*" >> calls
case "$1" in
  version) echo v3.17.2;;
  history) echo 'Error: release: not found' >&2; exit 1;;
  template) AT_TEMPLATE;;
  *) AT_THE_REST;;
esac"#;

const KUBECTL: &str = r#"
echo "kubectl $*" >> calls
case "$1" in
  get) echo '{"items": []}';;
  diff) echo 'replicaCount: 1' > k8s/production/all.yaml; exit 1;;
  *) exit 1;;
esac"#;

impl Deployment {
    /// `more`: further keys of the environment.
    fn new(more: &str) -> Self {
        let this = Self { project: Project::new(), cluster: StandIn::start() };
        this.helm("echo rendered", "exit 1");
        this.project.program("kubectl", KUBECTL).program("aws", "echo \"aws $*\" >> calls; exit 1");
        this.file("ada", more);
        for (name, text) in [
            ("Cargo.toml", "[workspace.package]\nversion = \"1.2.4\"\n"),
            ("helm/api-platform/Chart.yaml", "name: api-platform\n"),
            ("helm/values-prod.yaml", "replicaCount: 5\n"),
            ("k8s/production/all.yaml", "replicaCount: 5\n"),
            (
                "migrations/20991231_add_renamed_at.sql",
                "ALTER TABLE organizations ADD COLUMN renamed_at timestamptz;\n",
            ),
        ] {
            this.project.write(name, text);
        }
        for words in [
            &["init", "--quiet"][..],
            &["add", "helm", "k8s", "migrations", "Cargo.toml"],
            &["commit", "--quiet", "--message", "Release 1.2.4"],
        ] {
            let mut git = Command::new("git");
            git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]).args(words);
            assert!(git.current_dir(this.project.path()).status().unwrap().success());
        }
        this
    }

    /// `runbook.toml` of somebody.
    fn file(&self, user: &str, more: &str) {
        let cluster = self.cluster.cluster(user);
        let (kubeconfig, context) = (cluster.kubeconfig.unwrap(), cluster.context);
        let file = format!(
            r#"[environments.production]
url = "https://api.example.com"
values = "helm/values-prod.yaml"
manifests = "k8s/production"
cluster = {{ kubeconfig = "{}", context = "{context}", namespace = "production" }}
{more}
[services.auth-service]
image = "api-platform/auth-service"
dockerfile = "services/auth/Dockerfile"
"#,
            kubeconfig.display()
        );
        self.project.write("runbook.toml", &file);
    }

    /// What helm does at `template`, and at everything else that it is not asked before.
    fn helm(&self, at_template: &str, at_the_rest: &str) {
        let script = HELM.replace("AT_TEMPLATE", at_template).replace("AT_THE_REST", at_the_rest);
        self.project.program("helm", &script);
    }

    fn deploy(&self, more: &[&str]) -> Said {
        let words = ["deploy", "production", "--version", "1.2.4", "--environment-name", "production"];
        self.project.runbook(&[&words, more].concat())
    }

    /// The run that waits.
    fn waiting(&self, more: &[&str]) -> String {
        let said = self.deploy(more);
        assert_eq!(said.code, 4, "{} {}", said.out, said.err);
        let run = said.err.lines().find_map(|line| line.trim().strip_prefix("cure: runbook resume "));
        run.unwrap_or_else(|| panic!("{}", said.err)).to_owned()
    }

    fn resume(&self, run: &str) -> Said {
        self.project.runbook(&["resume", run, "--environment-name", "production"])
    }

    fn calls(&self) -> String {
        self.project.read("calls")
    }
}

#[test]
fn what_is_edited_while_helm_is_at_work_is_not_applied() {
    const EDIT: &str = "echo 'replicaCount: 1' > helm/values-prod.yaml";
    for (at_template, at_the_rest, not_done) in [("", EDIT, "helm template"), (EDIT, "", "helm upgrade")] {
        let deployment = Deployment::new("");
        deployment.helm(at_template, at_the_rest);
        let said = deployment.deploy(&[]);
        assert_eq!(said.code, 2, "{} {}", said.out, said.err);
        assert!(said.out.contains("not what was planned any more: helm/values-prod.yaml"), "{}", said.out);
        assert!(said.out.contains("runbook plan production --version 1.2.4"), "{}", said.out);
        assert!(!deployment.calls().contains(not_done), "{}", deployment.calls());
    }
}

#[test]
fn manifests_that_are_edited_meanwhile_are_not_applied() {
    let deployment = Deployment::new("");
    let said = deployment.deploy(&["--via", "kubectl"]);
    assert_eq!(said.code, 2, "{} {}", said.out, said.err);
    assert!(said.out.contains("not what was planned any more: k8s/production"), "{}", said.out);
    assert!(!deployment.calls().contains("kubectl apply"), "{}", deployment.calls());
}

#[test]
fn only_the_plan_that_was_shown_is_applied_and_what_differs_is_named() {
    let deployment = Deployment::new("");
    let said = deployment.project.runbook(&["plan", "production", "--version", "1.2.4"]);
    let hash = said.out.lines().find_map(|line| line.strip_prefix("plan ")).unwrap();
    deployment.project.write("helm/values-prod.yaml", "replicaCount: 1\n");
    let said = deployment.deploy(&["--plan", hash]);
    assert_eq!(said.code, 2, "{} {}", said.out, said.err);
    assert!(said.err.contains("changed since: helm/values-prod.yaml"), "{}", said.err);
    assert!(said.err.contains("cure: runbook plan production --version 1.2.4"), "{}", said.err);
}

#[test]
fn a_run_that_waited_is_over_when_something_else_would_be_done_now() {
    let deployment = Deployment::new("approvals = 1");
    let run = deployment.waiting(&[]);
    deployment.project.write("helm/values-prod.yaml", "replicaCount: 1\n");
    let said = deployment.resume(&run);
    assert_eq!(said.code, 2, "{} {}", said.out, said.err);
    assert!(said.err.contains("changed since: helm/values-prod.yaml"), "{}", said.err);
    assert!(said.err.contains("cure: runbook plan production --version 1.2.4"), "{}", said.err);
    let runs = deployment.project.runbook(&["runs", "production", "--output", "json"]);
    let event: serde_json::Value = serde_json::from_str(&runs.out).unwrap();
    assert_eq!(event["state"], "refused");
    assert_eq!(deployment.resume(&run).code, 5, "it is over");
    let said = deployment.project.runbook(&["approve", &run]);
    assert!(said.err.contains("is over"), "the cluster knows it as well: {}", said.err);
}

#[tokio::test]
async fn a_run_that_waited_goes_on_with_the_moment_of_its_plan() {
    const MORE: &str = r#"approvals = 1
aws = { profile = "production", region = "us-east-1" }
database = { kind = "rds", instance = "prod-db", url = { env = "READER_URL" }, owner_url = { env = "OWNER_URL" } }"#;
    let database = Database::new().await;
    let urls = format!("READER_URL={} OWNER_URL={}", database.url("readonly_user"), database.owner_url());
    let deployment = Deployment::new(MORE);
    let types = |words: &[&str]| {
        let mut command = deployment.project.command(words);
        command.envs(urls.split(' ').filter_map(|pair| pair.split_once('=')));
        Said::of(&command.output().unwrap())
    };
    let said =
        types(&["deploy", "production", "--version", "1.2.4", "--environment-name", "production", "--output", "json"]);
    let events: Vec<serde_json::Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps = events.iter().find(|event| event["event"] == "plan").unwrap()["plan"]["steps"].as_array().unwrap();
    let backup = steps.iter().find(|step| step["id"] == "3.4.backup").unwrap();
    let failure = events.iter().find(|event| event["event"] == "failure").unwrap();
    let run = failure["cure"].as_str().unwrap().strip_prefix("runbook resume ").unwrap();
    deployment.file("grace", MORE);
    assert_eq!(deployment.project.runbook(&["approve", run]).code, 0);
    deployment.file("ada", MORE);
    let now = || Zoned::now().second();
    let before = now();
    while now() == before {
        std::thread::yield_now();
    }
    let said = types(&["resume", run, "--environment-name", "production"]);
    assert!(said.out.contains("failed 3.4.backup"), "{} {}", said.out, said.err);
    let id = backup["does"]["id"].as_str().unwrap();
    assert!(deployment.calls().contains(id), "{id}: {}", deployment.calls());
}

#[test]
fn what_opens_the_window_is_a_hotfix_and_no_reason_for_something_else() {
    let day = Zoned::now().with_time_zone(TimeZone::UTC).checked_add(2.days()).unwrap();
    let day = day.strftime("%A").to_string().to_lowercase();
    let closed =
        format!("approvals = 1\nwindow = {{ zone = \"UTC\", days = [\"{day}\"], from = \"10:00\", to = \"11:00\" }}");
    let deployment = Deployment::new("approvals = 1");
    let run = deployment.waiting(&["--reason", "the mail server is back"]);
    deployment.file("ada", &closed);
    let said = deployment.resume(&run);
    assert_eq!(said.code, 2, "{} {}", said.out, said.err);
    assert!(said.err.contains("production is deployed on"), "{}", said.err);
    let hotfix = deployment.waiting(&["--hotfix", "--reason", "sign-in is down"]);
    assert_eq!(deployment.resume(&hotfix).code, 4, "only the approval is missing");
    assert_eq!(deployment.deploy(&["--hotfix"]).code, 64, "it needs a reason, which stays in the journal");
}

#[test]
fn a_version_is_planned_when_the_registry_has_its_images_of_its_commit() {
    let failing = Project::new();
    let deployment = Deployment::new("");
    let asked = |address: &str| {
        deployment.file("ada", &format!("registry = \"{address}\""));
        deployment.deploy(&[])
    };
    let said = asked(&registry::start(failing.path(), Mood::Failing));
    assert!(said.code == 2 && said.err.contains("cannot be told"), "{}", said.err);
    let registry = registry::start(deployment.project.path(), Mood::Well);
    let said = asked(&registry);
    assert!(said.code == 2 && said.err.contains("auth-service:1.2.4 is not in its registry"), "{}", said.err);
    assert!(said.err.contains("cure: runbook build production --version 1.2.4"), "{}", said.err);
    let label = "registry/api-platform/auth-service/1.2.4";
    deployment.project.write(label, "0123");
    let said = asked(&registry);
    assert!(said.code == 2 && said.err.contains("auth-service:1.2.4 is of 0123, and 1.2.4 is "), "{}", said.err);
    let head = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(deployment.project.path()).output().unwrap();
    deployment.project.write(label, String::from_utf8(head.stdout).unwrap().trim());
    let said = asked(&registry);
    assert!(said.out.contains("4.2.lint"), "{} {}", said.out, said.err);
}

#[test]
fn ctrl_c_once_waits_for_the_step_and_twice_ends_what_runs() {
    let deployment = Deployment::new("");
    deployment.helm("echo rendered", "echo $$ > at-work; exec sleep 120");
    let words = ["deploy", "production", "--version", "1.2.4", "--environment-name", "production"];
    let mut command = deployment.project.command(&words);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let ctrl_c =
        |child: u32| assert!(Command::new("kill").args(["-INT", &child.to_string()]).status().unwrap().success());
    let at_work = deployment.project.path().join("at-work");
    let began = Instant::now();
    while std::fs::read_to_string(&at_work).unwrap_or_default().is_empty() {
        assert!(began.elapsed() < Duration::from_mins(1), "helm lint was not called");
        std::thread::sleep(Duration::from_millis(20));
    }
    ctrl_c(child.id());
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let once = "stops before the next step; Ctrl-C once more ends this one in the middle";
    assert!(told.any(|line| line.trim() == once));
    assert_eq!(child.try_wait().unwrap(), None, "it waits for helm");
    let lock = deployment.project.runbook(&["lock", "status", "production"]);
    assert!(lock.out.contains("4.2.lint"), "{}", lock.out);
    ctrl_c(child.id());
    let ended = Said::of(&child.wait_with_output().unwrap());
    assert!(began.elapsed() < Duration::from_secs(100), "it waited for helm");
    let helm = deployment.project.read("at-work");
    assert!(!std::path::Path::new("/proc").join(helm.trim()).exists(), "helm goes on");
    assert_eq!(ended.code, 4, "only questions were asked: {}", ended.out);
    let resume = ended
        .out
        .lines()
        .find_map(|line| line.split_once("runbook resume "))
        .unwrap_or_else(|| panic!("{}", ended.out));
    let lock = deployment.project.runbook(&["lock", "status", "production"]);
    assert!(lock.out.contains("ended in the middle of a step by Ctrl-C"), "{}", lock.out);
    deployment.helm("echo rendered", "exit 1");
    let resumed = deployment.resume(resume.1.trim());
    assert!(resumed.out.contains("failed 4.2.lint"), "{} {}", resumed.out, resumed.err);
}
