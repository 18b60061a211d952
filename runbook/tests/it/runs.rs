//! `runbook runs|show|attach|approve|lock`, where nothing was done yet.

use crate::{kubernetes, project::Project};

fn project() -> Project {
    let project = Project::new();
    project.write("config", &kubernetes::start(&[]));
    let kubeconfig = project.path().join("config");
    let file = format!(
        r#"[environments.production]
url = "https://api.example.com"
cluster = {{ context = "prod-us-east-1", namespace = "production", kubeconfig = "{}", uid = "{}" }}
"#,
        kubeconfig.display(),
        kubernetes::UID
    );
    project.write("runbook.toml", &file);
    project
}

#[test]
fn nobody_holds_a_lock_that_was_never_taken() {
    let said = project().runbook(&["lock", "status", "production"]);
    assert_eq!((said.code, &*said.err), (0, ""));
    insta::assert_snapshot!(said.out, @"
    nobody holds production:
      taken: 0 times
    ");
    let json = project().runbook(&["lock", "status", "production", "--output", "json"]);
    let event: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&event["event"], &event["token"]), (&"lock".into(), &0.into()));
    assert!(event["by"].is_null());
}

#[test]
fn a_lock_is_not_stolen_while_helm_cannot_be_asked() {
    let project = project();
    project.program("helm", "echo 'Error: the server is currently unable to handle the request' >&2; exit 1");
    let said = project.runbook(&["lock", "steal", "production", "--reason", "it hangs"]);
    assert_eq!(said.code, 1);
    assert!(said.err.starts_with("error: whether helm is at work cannot be told: "), "{}", said.err);
    project.program("helm", "echo 'Error: release: not found' >&2; exit 1");
    let said = project.runbook(&["lock", "steal", "production", "--reason", "it hangs"]);
    assert_eq!((said.code, &*said.out), (5, "nobody holds production\n"));
    let said = project.runbook(&["lock", "steal", "production", "--reason", " "]);
    assert_eq!(said.code, 64);
}

#[test]
fn a_run_that_nobody_knows_is_refused() {
    let project = project();
    for command in ["show", "attach", "approve"] {
        let said = project.runbook(&[command, "20250117-140000-3f2a"]);
        assert_eq!((said.code, &*said.out), (2, ""), "{command}");
        assert_eq!(said.err, "error: there is no run 20250117-140000-3f2a\n  cure: runbook runs\n", "{command}");
    }
    let runs = project.runbook(&["runs"]);
    assert_eq!((runs.code, &*runs.out, &*runs.err), (0, "", ""));
    let human = project.runbook(&["runs", "--output", "human"]);
    assert_eq!(human.out, "\n  there are no runs\n\n");
    let unknown = project.runbook(&["runs", "staging"]);
    assert_eq!(unknown.code, 64);
    let elsewhere = Project::new();
    assert_eq!(elsewhere.runbook(&["runs"]).code, 2);
    assert!(!elsewhere.path().join(".runbook").exists(), "only a project gets a folder");
}
