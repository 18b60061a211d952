//! The file as people write it, and as they get it wrong.

use super::*;
use jiff::Timestamp;

const GOOD: &str = r#"
github = "example/platform"

[environments.staging]
url = "https://api-staging.example.com"

[environments.production]
url = "https://api.example.com"
values = "helm/values-prod.yaml"
cluster = { kubeconfig = "~/.kube/config-prod", context = "prod-us-east-1", namespace = "production" }
aws = { profile = "production", region = "us-east-1", account = "123456789012" }
secrets = { api-secrets = ["database-url", "master-key"] }
database = { kind = "rds", instance = "prod-db", url = { env = "DATABASE_URL" } }
window = { zone = "America/New_York", days = ["thursday"], from = "14:00", to = "16:00" }

[services.auth-service]
image = "api-platform/auth-service"
dockerfile = "services/auth/Dockerfile"

[release]
generators = ["cargo xtask manifests"]

[tools]
helm = "3.11"
"#;

fn refused(line: &str) -> String {
    let text = format!("[environments.production]\nurl = \"https://api.example.com\"\n{line}\n");
    RunbookFile::parse(&text).expect_err("it is wrong").to_string()
}

#[test]
fn everything_is_read_in_the_order_of_the_file() {
    let file = RunbookFile::parse(GOOD).unwrap();
    let names: Vec<_> = file.environments.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["staging", "production"]);
    let production = file.environment("production").unwrap();
    assert_eq!(production.database.as_ref().unwrap().url, Some(Secret::Env("DATABASE_URL".to_owned())));
    assert_eq!((file.release.generators.len(), file.release.sbom), (1, None));
    assert_eq!((&*file.services[0].0, &*file.tools.helm.clone().unwrap().to_string()), ("auth-service", "3.11.0"));
}

#[test]
fn the_repositorys_own_file_is_good() {
    RunbookFile::read(Path::new("../..")).unwrap();
}

#[test]
fn an_unknown_key_is_shown_with_its_place_and_the_nearest_one() {
    insta::assert_snapshot!(refused("clster = { context = \"a\", namespace = \"b\" }"), @r#"
    runbook.toml:3:1: unknown key `clster`; there are url, cluster, registry, aws, values, manifests, secrets, database, window, approvals
     3 | clster = { context = "a", namespace = "b" }
       | ^^^^^^
    did you mean `cluster`?
    "#);
    insta::assert_snapshot!(refused("cluster = { context = \"a\", namespce = \"b\" }"), @r#"
    runbook.toml:3:28: unknown key `namespce`; there are kubeconfig, context, namespace, uid
     3 | cluster = { context = "a", namespce = "b" }
       |                            ^^^^^^^^
    did you mean `namespace`?
    "#);
}

#[test]
fn wrong_values_are_shown_in_place() {
    insta::assert_snapshot!(refused("window = { zone = \"EST5\", days = [\"thursday\"], from = \"14:00\", to = \"16:00\" }"), @r#"
    runbook.toml:3:19: "EST5" is no time zone such as "America/New_York"
     3 | window = { zone = "EST5", days = ["thursday"], from = "14:00", to = "16:00" }
       |                   ^^^^^^
    "#);
    insta::assert_snapshot!(refused("window = { zone = \"UTC\", days = [\"thirsday\"], from = \"14:00\", to = \"16:00\" }"), @r#"
    runbook.toml:3:34: unknown word `thirsday`; there are monday, tuesday, wednesday, thursday, friday, saturday, sunday
     3 | window = { zone = "UTC", days = ["thirsday"], from = "14:00", to = "16:00" }
       |                                  ^^^^^^^^^^
    did you mean `thursday`?
    "#);
    insta::assert_snapshot!(refused("database = { kind = \"rds\" }"), @r#"
    runbook.toml:1:1: a database of kind "rds" needs its instance
     1 | [environments.production]
       | ^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(refused("registry = example"), @"
    runbook.toml:3:12: string values must be quoted, expected literal string
     3 | registry = example
       |            ^^^^^^^
    ");
}

#[test]
fn a_secret_in_the_file_is_refused_and_never_repeated() {
    let said = refused("database = { kind = \"postgresql\", url = \"postgresql://admin_user:hunter2@db/api\" }");
    assert!(said.contains("a secret is named here, never written") && said.starts_with("runbook.toml:3:"), "{said}");
    assert!(!said.contains("hunter2") && !said.contains("admin_user"), "{said}");
    let unquoted = refused("database = { url = postgresql://admin_user:hunter2@db/api }");
    assert!(unquoted.starts_with("runbook.toml:3:") && !unquoted.contains("hunter2"), "{unquoted}");
}

#[test]
fn an_environment_that_is_not_there_is_answered_with_those_that_are() {
    let file = RunbookFile::parse(GOOD).unwrap();
    insta::assert_snapshot!(file.environment("prodution").unwrap_err(), @r"
    runbook.toml has no environment prodution; it has staging, production
    did you mean `production`?
    ");
}

fn opening(now: &str) -> String {
    let file = RunbookFile::parse(GOOD).unwrap();
    let window = file.environment("production").unwrap().window.clone().unwrap();
    let now: Timestamp = now.parse().unwrap();
    let span = window.current_or_next(now).unwrap();
    format!("{} {}", if span.is_open(now) { "open since" } else { "opens" }, span.opens)
}

#[test]
fn the_window_follows_the_clock_of_its_zone_in_winter_and_in_summer() {
    assert_eq!(opening("2025-01-16T19:00:00Z"), "open since 2025-01-16T14:00:00-05:00[America/New_York]");
    assert_eq!(opening("2025-01-16T18:59:59Z"), "opens 2025-01-16T14:00:00-05:00[America/New_York]");
    assert_eq!(opening("2025-01-16T21:00:00Z"), "opens 2025-01-23T14:00:00-05:00[America/New_York]");
    assert_eq!(opening("2025-07-17T18:00:00Z"), "open since 2025-07-17T14:00:00-04:00[America/New_York]");
    assert_eq!(opening("2025-07-17T20:00:00Z"), "opens 2025-07-24T14:00:00-04:00[America/New_York]");
}
