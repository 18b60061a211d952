//! `runbook envs`

use crate::project::Project;

const FILE: &str = r#"
[environments.development]
url = "http://localhost:3000"

[environments.production]
url = "https://api.example.com"
values = "helm/values-prod.yaml"
cluster = { context = "prod-us-east-1", namespace = "production" }
aws = { profile = "production", region = "us-east-1" }
secrets = { api-secrets = ["database-url", "master-key"] }
database = { kind = "rds", instance = "prod-db", url = { aws_secret = "prod/database-url" } }
"#;

#[test]
fn environments_are_listed_also_from_a_folder_below() {
    let project = Project::new();
    project.write("runbook.toml", FILE).write("services/auth/Dockerfile", "");
    let said = project.runbook(&["envs"]);
    assert_eq!((said.code, &*said.err), (0, ""));
    insta::assert_snapshot!(said.out, @"
    development:
      url: http://localhost:3000
      deployed: at any time
    production:
      url: https://api.example.com
      cluster: prod-us-east-1, namespace production, whichever cluster that is
      values: helm/values-prod.yaml
      aws: profile production, us-east-1, account any
      database: RDS prod-db, its URL in prod/database-url in Secrets Manager
      secret: api-secrets: database-url, master-key
      deployed: at any time
    ");
    let below = project.command(&["envs"]).current_dir(project.path().join("services/auth")).output().unwrap();
    assert_eq!(String::from_utf8(below.stdout).unwrap(), said.out);
    insta::assert_snapshot!(project.runbook(&["envs", "--output", "human"]).out, @"
    development
      url       http://localhost:3000
      deployed  at any time

    production
      url       https://api.example.com
      cluster   prod-us-east-1, namespace production, whichever cluster that is
      values    helm/values-prod.yaml
      aws       profile production, us-east-1, account any
      database  RDS prod-db, its URL in prod/database-url in Secrets Manager
      secret    api-secrets: database-url, master-key
      deployed  at any time
    ");
}

#[test]
fn for_programs_there_is_one_object_a_line() {
    let project = Project::new();
    project.write("runbook.toml", FILE);
    let said = project.runbook(&["envs", "--output", "json"]);
    let lines: Vec<serde_json::Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [development, production] = &lines[..] else { panic!("two environments: {lines:?}") };
    assert_eq!((&development["event"], &development["schema"]), (&"environment".into(), &1.into()));
    assert_eq!(production["cluster"]["context"], "prod-us-east-1");
    assert_eq!(production["database"]["url"]["aws_secret"], "prod/database-url");
}

#[test]
fn a_broken_file_is_refused_with_its_place() {
    let project = Project::new();
    project.write("runbook.toml", "[environments.production]\nurll = \"https://api.example.com\"\n");
    let said = project.runbook(&["envs"]);
    assert_eq!((said.code, &*said.out), (2, ""));
    insta::assert_snapshot!(said.err, @r#"
    error: runbook.toml:2:1: unknown key `urll`; there are url, cluster, registry, aws, values, manifests, secrets, database, window, approvals
     2 | urll = "https://api.example.com"
       | ^^^^
      cure: did you mean `url`?
    "#);
    let json = project.runbook(&["envs", "--output", "json"]);
    let event: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&event["event"], &event["exit"], &*json.err), (&"failure".into(), &2.into(), ""));
    let elsewhere = Project::new().runbook(&["envs"]);
    assert_eq!(elsewhere.code, 2);
    assert!(elsewhere.err.starts_with("error: there is no runbook.toml in /"), "{}", elsewhere.err);
    assert!(elsewhere.err.ends_with("  cure: runbook init\n"), "{}", elsewhere.err);
}

#[test]
fn a_wrong_command_line_has_a_code_of_its_own() {
    let project = Project::new();
    let said = project.runbook(&["envvs"]);
    assert_eq!(said.code, 64);
    assert!(said.err.contains("envs"), "{}", said.err);
    assert_eq!(project.runbook(&["--help"]).code, 0);
    assert_eq!(project.runbook(&["--version"]).code, 0);
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let said = Project::new().runbook(&["completions", shell]);
        assert!(said.code == 0 && said.out.contains("envs"), "{shell}");
    }
}
