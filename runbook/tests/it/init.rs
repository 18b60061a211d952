//! `runbook init`

use crate::project::Project;
use std::process::Command;

const CONTEXTS: &str = r#"cat <<'EOT'
{"contexts": [
  {"name": "prod-us-east-1", "context": {"cluster": "a", "user": "ada", "namespace": "production"}},
  {"name": "kind", "context": {"cluster": "b", "user": "ada"}}
]}
EOT"#;

fn project() -> Project {
    let project = Project::new();
    let git = |words: &[&str]| {
        let status = Command::new("git").args(words).current_dir(project.path()).status().unwrap();
        assert!(status.success());
    };
    git(&["init", "--quiet"]);
    git(&["remote", "add", "origin", "git@github.com:example/platform.git"]);
    project.program("kubectl", CONTEXTS);
    project
        .write("helm/api-platform/Chart.yaml", "")
        .write("services/auth/Dockerfile", "")
        .write("services/org/Dockerfile", "");
    project.write("helm/values-prod.yaml", "ingress:\n  hosts:\n    - host: api.example.com\n");
    project
        .write("helm/values-dev.yaml", "")
        .write("helm/values-staging.yaml", "")
        .write("k8s/production/hpa.yaml", "");
    project
}

#[test]
fn a_file_is_written_from_what_is_around() {
    let project = project();
    let said = project.runbook(&["init"]);
    assert_eq!((said.code, &*said.err), (0, ""));
    insta::assert_snapshot!(said.out, @"
    ok: runbook.toml is written; read it, it is short
      next: runbook envs
      environments: development, staging, production
      services: auth-service, org-service
      contexts: prod-us-east-1, kind
      github: example/platform
    ");
    insta::assert_snapshot!(project.read("runbook.toml"), @r#"
    # Where the environments are, for `runbook` and `platform smoke --env`; docs/operate/runbook.md has every key.

    github = "example/platform"

    [environments.development]
    url = "http://localhost:3000"
    values = "helm/values-dev.yaml"

    [environments.staging]
    # Not found anywhere: write where it is.
    url = "https://staging.invalid"
    values = "helm/values-staging.yaml"
    # One of the contexts prod-us-east-1, kind:
    # cluster = { context = "…", namespace = "staging" }

    [environments.production]
    url = "https://api.example.com"
    values = "helm/values-prod.yaml"
    cluster = { context = "prod-us-east-1", namespace = "production" }

    [services.auth-service]
    image = "api-platform/auth-service"
    dockerfile = "services/auth/Dockerfile"

    [services.org-service]
    image = "api-platform/org-service"
    dockerfile = "services/org/Dockerfile"
    "#);
    assert_eq!(project.runbook(&["envs"]).code, 0);
}

#[test]
fn a_file_that_is_there_is_kept() {
    let project = project();
    project.write("runbook.toml", "# mine\n");
    let said = project.runbook(&["init"]);
    assert_eq!(said.code, 2);
    insta::assert_snapshot!(said.err, @"
    error: runbook.toml is there already
      why: it may hold what nobody can find by looking around; --force writes over it
      cure: runbook envs
    ");
    assert_eq!(project.read("runbook.toml"), "# mine\n");
    assert_eq!(project.runbook(&["init", "--force"]).code, 0);
    assert!(project.read("runbook.toml").contains("[environments.production]"));
}

#[test]
fn without_anything_around_the_file_is_good_too() {
    let project = Project::new();
    project.program("kubectl", "exit 1").program("git", "exit 1");
    assert_eq!(project.runbook(&["init"]).code, 0);
    insta::assert_snapshot!(project.read("runbook.toml"), @r#"
    # Where the environments are, for `runbook` and `platform smoke --env`; docs/operate/runbook.md has every key.

    # github = "owner/name"

    [environments.development]
    url = "http://localhost:3000"
    "#);
}
