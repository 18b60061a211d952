//! GitHub's workflows, run here: every `run:` line by bash, with the real decision, and with stand-ins that write down
//! how they were called for programs that reach outside.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const NAMES: [&str; 4] = ["ci", "staging", "production", "deploy"];
/// What reaches outside of the machine; nothing else has a stand-in.
const OUTSIDE: [&str; 8] = ["aws", "curl", "docker", "helm", "kubectl", "npm", "platform", "rustup"];
/// Writes down how it was called, and answers as the outside would.
const STAND_IN: &str = r#"#!/bin/sh
printf '%s' "${0##*/}" >> "$CALLS"
for word in "$@"; do printf ' %s' "$word" >> "$CALLS"; done
[ -n "$DATABASE_URL" ] && printf '   (DATABASE_URL)' >> "$CALLS"
[ -n "$EAP_SMOKE_KEY" ] && printf '   (EAP_SMOKE_KEY)' >> "$CALLS"
printf '\n' >> "$CALLS"
case "${0##*/} $*" in
    *--password-stdin) cat ;;
    "docker create"*) echo container ;;
    "kubectl get deployments"*) cat "$DEPLOYMENTS" ;;
    "curl"*) printf '{"status": "healthy", "version": "%s"}' "$SERVED" ;;
esac
"#;

fn workflow(name: &str) -> Value {
    let text = fs::read_to_string(format!("{ROOT}/.github/workflows/{name}.yml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

fn steps(workflow: &Value) -> Vec<&Value> {
    let jobs = workflow["jobs"].as_object().unwrap().values();
    jobs.filter_map(|job| job["steps"].as_array()).flatten().collect()
}

/// A runner of GitHub's, as far as our workflows use one.
struct Runner {
    folder: TempDir,
    /// What `${{ … }}` stands for.
    values: BTreeMap<String, String>,
    commit: String,
}

impl Runner {
    /// With a checkout, where `deployed` runs and `served` answers.
    fn new(deployed: &str, served: &str) -> Self {
        let runner = Self { folder: tempfile::tempdir().unwrap(), values: BTreeMap::new(), commit: String::new() };
        for folder in ["xtask", "stand-ins", ".ci"] {
            fs::create_dir(runner.path(folder)).unwrap();
        }
        let cargo = format!("#!/bin/sh\nshift\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_xtask"));
        runner.program("stand-ins/cargo", &cargo);
        runner.program(".ci/run", "#!/bin/sh\necho .ci/run >> \"$CALLS\"\n");
        for name in OUTSIDE {
            runner.program(&format!("stand-ins/{name}"), STAND_IN);
        }
        let items = ["auth-service", "user-service", "org-service"].map(|name| {
            let containers = json!([{ "name": name, "image": format!("api-platform/{name}:{deployed}") }]);
            json!({ "metadata": { "name": name }, "spec": { "template": { "spec": { "containers": containers } } } })
        });
        fs::write(runner.path("running.json"), json!({ "items": items }).to_string()).unwrap();
        fs::write(runner.path("served"), served).unwrap();
        runner.git(&["init", "--quiet"]);
        let who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"];
        runner.git(&[&who[..], &["commit", "--quiet", "--allow-empty", "--message", "release: 0.1.0"]].concat());
        let commit = runner.git(&["rev-parse", "HEAD"]);
        Self { commit, ..runner }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git").args(arguments).current_dir(self.folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The committed payload of an event, of the commit that is checked out here.
    fn event(&self, payload: &str) {
        let text = fs::read_to_string(format!("{ROOT}/xtask/src/release/events/{payload}.json")).unwrap();
        let mut event: Value = serde_json::from_str(&text).unwrap();
        if event["head_commit"].is_object() {
            event["head_commit"]["id"] = json!(self.commit);
        }
        fs::write(self.path("event.json"), event.to_string()).unwrap();
    }

    /// `${{ … }}` replaced; what is not known is a panic, so that a new expression needs a value here.
    fn expand(&self, text: &str) -> String {
        let mut parts = text.split("${{");
        let mut whole = parts.next().unwrap().to_owned();
        for part in parts {
            let (expression, rest) = part.split_once("}}").unwrap();
            let value = self.values.get(expression.trim());
            whole += value.unwrap_or_else(|| panic!("no value for {}", expression.trim()));
            whole += rest;
        }
        whole
    }

    /// What a step's `run:` did, in bash as GitHub starts it.
    fn run(&self, event: &str, environments: &[&Value], script: &str) -> Output {
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]).current_dir(self.folder.path());
        let path = format!("{}:{}", self.path("stand-ins").display(), std::env::var("PATH").unwrap());
        bash.env("PATH", path).env("CARGO_MANIFEST_DIR", self.path("xtask"));
        bash.env("DEPLOYMENTS", self.path("running.json")).env("CALLS", self.path("calls"));
        bash.env("SERVED", fs::read_to_string(self.path("served")).unwrap());
        bash.env("GITHUB_EVENT_NAME", event).env("GITHUB_EVENT_PATH", self.path("event.json"));
        bash.env_remove("DATABASE_URL").env_remove("EAP_SMOKE_KEY");
        for file in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_PATH"] {
            bash.env(file, self.path(file));
        }
        for (name, value) in environments.iter().filter_map(|given| given.as_object()).flatten() {
            bash.env(name, self.expand(value.as_str().unwrap()));
        }
        bash.output().unwrap()
    }

    /// A job's steps in their order, those for a failure too; the name of the one that fails ends it.
    fn job(&mut self, event: &str, workflow: &Value, name: &str) -> Result<(), String> {
        let job = &workflow["jobs"][name];
        for step in job["steps"].as_array().unwrap() {
            let Some(script) = step["run"].as_str() else { continue };
            let output = self.run(event, &[&workflow["env"], &job["env"], &step["env"]], script);
            if !output.status.success() {
                return Err(format!("{}: {}", step["name"], String::from_utf8_lossy(&output.stderr)));
            }
            let outputs = fs::read_to_string(self.path("GITHUB_OUTPUT")).unwrap_or_default();
            for (name, value) in outputs.lines().filter_map(|line| line.split_once('=')) {
                self.values.insert(format!("needs.decide.outputs.{name}"), value.to_owned());
            }
        }
        Ok(())
    }

    /// How the outside was called; what differs from run to run has names instead.
    fn calls(&self) -> String {
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        calls.replace(&self.commit, "COMMIT").replace(&self.commit[..12], "COMMIT12")
    }
}

/// A runner that has what `production.yml` or `staging.yml` hands to `deploy.yml`.
fn deploying(environment: &str, deployed: &str) -> Runner {
    let mut runner = Runner::new(deployed, env!("CARGO_PKG_VERSION"));
    let given = workflow(environment);
    for (name, value) in given["jobs"]["deploy"]["with"].as_object().unwrap() {
        runner.values.insert(format!("inputs.{name}"), value.as_str().unwrap().to_owned());
    }
    let values = if environment == "production" { "prod" } else { environment };
    let expression = "inputs.environment == 'production' && 'prod' || inputs.environment";
    runner.values.insert(expression.to_owned(), values.to_owned());
    for secret in ["DOCKERHUB_USERNAME", "DOCKERHUB_TOKEN", "ADMIN_DATABASE_URL", "EAP_SMOKE_KEY"] {
        runner.values.insert(format!("secrets.{secret}"), format!("the-{secret}"));
    }
    runner
}

#[test]
fn a_hotfix_of_production_runs_the_steps_of_the_runbook_in_their_order() {
    let mut runner = deploying("production", "0.0.9");
    runner.event("dispatch");
    let deploy = workflow("deploy");
    for job in ["decide", "build", "deploy"] {
        runner.job("workflow_dispatch", &deploy, job).unwrap();
    }
    let reason = fs::read_to_string(runner.path("GITHUB_STEP_SUMMARY")).unwrap();
    assert!(reason.contains("logins fail since noon, INC-42"), "{reason}");
    insta::assert_snapshot!(runner.calls().replace(env!("CARGO_PKG_VERSION"), "VERSION"), @"
    aws eks update-kubeconfig --name prod-cluster
    kubectl get deployments --namespace production --output json
    rustup toolchain install 1.95.0 --profile minimal
    docker build --build-arg REVISION=COMMIT -t api-platform/auth-service:VERSION -f services/auth/Dockerfile .
    docker build --build-arg REVISION=COMMIT -t api-platform/user-service:VERSION -f services/user/Dockerfile .
    docker build --build-arg REVISION=COMMIT -t api-platform/org-service:VERSION -f services/org/Dockerfile .
    docker login --username the-DOCKERHUB_USERNAME --password-stdin
    docker push api-platform/auth-service:VERSION
    docker push api-platform/user-service:VERSION
    docker push api-platform/org-service:VERSION
    aws eks update-kubeconfig --name prod-cluster
    docker login --username the-DOCKERHUB_USERNAME --password-stdin
    docker create api-platform/auth-service:VERSION
    docker cp container:/platform bin/platform
    npm run migrate:status   (DATABASE_URL)
    platform backup create --rds prod-db
    npm run migrate:up   (DATABASE_URL)
    helm lint helm/api-platform
    helm template helm/api-platform -f helm/values-prod.yaml --debug
    helm upgrade --install api-platform helm/api-platform -f helm/values-prod.yaml --namespace production --create-namespace --wait --timeout 10m --set image.tag=VERSION
    kubectl rollout status deployment/auth-service -n production --timeout=10m
    kubectl rollout status deployment/user-service -n production --timeout=10m
    kubectl rollout status deployment/org-service -n production --timeout=10m
    kubectl annotate deployments auth-service user-service org-service -n production --overwrite api-platform/released=VERSION from COMMIT
    kubectl get pods -n production
    curl --fail --silent --show-error https://api.example.com/v1/health
    npm run test:smoke -- --env=production   (EAP_SMOKE_KEY)
    docker buildx imagetools create --tag api-platform/auth-service:latest api-platform/auth-service:VERSION
    docker buildx imagetools create --tag api-platform/user-service:latest api-platform/user-service:VERSION
    docker buildx imagetools create --tag api-platform/org-service:latest api-platform/org-service:VERSION
    helm history api-platform -n production
    kubectl get pods -n production
    kubectl get events -n production --sort-by=.lastTimestamp
    ");
}

#[test]
fn staging_names_the_commit_in_the_images_and_leaves_latest_alone() {
    let mut runner = deploying("staging", "0.1.0-000000000000");
    fs::write(runner.path("event.json"), r#"{"schedule": "0 5 * * *"}"#).unwrap();
    let deploy = workflow("deploy");
    runner.job("schedule", &deploy, "decide").unwrap();
    runner.job("schedule", &deploy, "build").unwrap();
    let calls = runner.calls();
    let pushed = format!("docker push api-platform/org-service:{}-COMMIT12\n", env!("CARGO_PKG_VERSION"));
    assert!(calls.contains(&pushed), "{calls}");
    let latest = steps(&deploy).into_iter().find(|step| step["run"].to_string().contains(":latest")).unwrap();
    assert_eq!(latest["if"], "inputs.environment == 'production'");
}

#[test]
fn push_and_tag_of_what_runs_already_end_well_and_start_no_other_job() {
    // The payload tells of tag v0.1.0: while the workspace has another version, that is refused.
    let own = env!("CARGO_PKG_VERSION");
    for payload in ["push", "tag"] {
        let mut runner = deploying("production", own);
        runner.event(payload);
        if payload == "tag" {
            let event = fs::read_to_string(runner.path("event.json")).unwrap().replace("v0.1.0", &format!("v{own}"));
            fs::write(runner.path("event.json"), event).unwrap();
        }
        let deploy = workflow("deploy");
        runner.job("push", &deploy, "decide").unwrap();
        assert_eq!(runner.values["needs.decide.outputs.deploy"], "false", "{payload}");
        let reason = format!("nothing to do: {own} is deployed already");
        assert_eq!(runner.values["needs.decide.outputs.reason"], reason);
        assert_eq!(deploy["jobs"]["build"]["if"], "needs.decide.outputs.deploy == 'true'");
        assert_eq!(deploy["jobs"]["deploy"]["needs"], json!(["decide", "build"]));
    }
}

#[test]
fn another_version_that_answers_fails_the_deployment() {
    let mut runner = deploying("production", "0.0.9");
    runner.event("dispatch");
    let deploy = workflow("deploy");
    runner.job("workflow_dispatch", &deploy, "decide").unwrap();
    fs::write(runner.path("served"), "0.0.9").unwrap();
    let failure = runner.job("workflow_dispatch", &deploy, "deploy").unwrap_err();
    assert!(failure.starts_with("\"Verify (Step 5)\""), "{failure}");
}

#[test]
fn ci_runs_the_command_that_decides() {
    let mut runner = Runner::new("", "");
    runner.job("push", &workflow("ci"), "test").unwrap();
    let calls = "rustup toolchain install 1.95.0 --profile minimal --component clippy,rustfmt\n.ci/run\n";
    assert_eq!(runner.calls(), calls);
}

#[test]
fn triggers_are_those_of_the_runbook_with_a_daily_schedule_and_a_reason_for_a_hotfix() {
    let staging = workflow("staging");
    assert_eq!(staging["on"]["push"], json!({ "branches": ["develop"] }));
    assert!(staging["on"].as_object().unwrap().contains_key("workflow_dispatch"));
    assert_eq!(staging["on"]["schedule"], json!([{ "cron": "0 5 * * *" }]));
    let production = workflow("production");
    assert_eq!(production["on"]["push"], json!({ "branches": ["main"], "tags": ["v*"] }));
    let names: Vec<_> = production["on"]["workflow_dispatch"]["inputs"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["hotfix"]);
    assert_eq!(workflow("ci")["on"]["push"], json!({ "branches": ["**"] }));
}

#[test]
fn nothing_that_runs_is_cut_off_and_rights_are_as_few_as_can_be() {
    for name in NAMES {
        let workflow = workflow(name);
        assert_eq!(workflow["permissions"], json!({ "contents": "read" }), "{name}");
        if name != "deploy" {
            assert_eq!(workflow["concurrency"]["cancel-in-progress"], json!(false), "{name}");
        }
        for (job, text) in workflow["jobs"].as_object().unwrap() {
            let more = text["permissions"].as_object().into_iter().flatten();
            let more: Vec<_> = more.filter(|(right, _)| *right != "contents").collect();
            assert!(more.iter().all(|(right, how)| *right == "id-token" && **how == "write"), "{name}/{job}: {more:?}");
        }
    }
}

#[test]
fn actions_are_named_by_commit_and_no_expression_stands_in_a_script() {
    for name in NAMES {
        let text = fs::read_to_string(Path::new(ROOT).join(format!(".github/workflows/{name}.yml"))).unwrap();
        let uses = text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: "));
        for action in uses.filter(|action| !action.starts_with("./")) {
            let (commit, version) = action.split_once('@').unwrap().1.split_once(" # v").unwrap();
            let digits = commit.chars().filter(char::is_ascii_hexdigit).count();
            assert!(commit.len() == 40 && digits == 40 && !version.is_empty(), "{name}: {action}");
        }
        let workflow = workflow(name);
        for script in steps(&workflow).into_iter().filter_map(|step| step["run"].as_str()) {
            assert!(!script.contains("${{"), "{name}: whoever writes the value would write the script: {script}");
        }
    }
}
