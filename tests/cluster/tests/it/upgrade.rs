//! A new version and the way back under load: nobody notices.

use cluster_tests::{Installation, Load, Tool, given, until};
use serde_json::json;
use std::time::Duration;

/// As many requests as the issue of zero downtime is judged by.
const REQUESTS: usize = 10_000;

#[test]
fn an_upgrade_and_its_rollback_under_load_fail_no_request() {
    let installation = Installation::new(Tool::Helm3);
    installation.shell.lines(&unlimited(&given("EAP_TEST_VERSION")));
    let ingress = installation.ingress();
    installation.curl_until("/v1/health", "\"healthy\"");
    let token = installation.token();
    installation.post("/v1/resource-types", &token, &json!({ "name": "note", "schema": { "type": "object" } }));
    let load = Load::start(&token, installation.authority());
    let next = given("EAP_TEST_NEXT_VERSION");
    installation.database.migrate_to_next();
    installation.shell.lines(&unlimited(&next));
    installation.curl_until("/v1/health", &format!("\"version\":\"{next}\""));
    let while_upgrading = load.count();
    installation.shell.lines("helm rollback api-platform --namespace production --wait --timeout 5m");
    installation.curl_until("/v1/health", &format!("\"version\":\"{}\"", given("EAP_TEST_VERSION")));
    until(Duration::from_mins(3), "enough requests", || load.count().requests() >= REQUESTS);
    let count = load.stop();
    println!("upgrade: {while_upgrading}\nin all: {count}");
    assert_eq!(count.failures(), 0, "{count}\n{}", ingress.complaints());
    assert!(while_upgrading.requests() > 500, "the load stood still: {while_upgrading}");
}

/// The runbook's line; the one client that makes all the load is not limited.
fn unlimited(version: &str) -> String {
    Installation::helm_line(version) + " \\\n  -f tests/cluster/unlimited.yaml"
}
