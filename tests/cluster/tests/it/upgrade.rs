//! A new version and the way back under load: nobody notices.

use crate::skew::LeftBehind;
use cluster_tests::{Count, Installation, Load, Shell, Tool, given, until};
use serde_json::json;
use std::{
    fmt::Write as _,
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

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
    installation.migration_secret();
    let (is_mixed, mut while_upgrading) = (AtomicBool::new(true), Count::default());
    let smoke_runs = thread::scope(|scope| {
        let smoke = scope.spawn(|| smoke_while(&installation.shell, &is_mixed));
        let mixed = While(&is_mixed);
        // The chart's own Job brings the schema before any pod is replaced.
        installation
            .shell
            .lines(&(unlimited(&next) + " --set migration.enabled=true --set migration.secretName=api-migration"));
        let migrated = installation.kubectl.get(&["job/api-platform-migrate"])["status"]["succeeded"].clone();
        assert_eq!(migrated, 1, "the migration's Job");
        installation.serves_alone(&next);
        while_upgrading = load.count();
        let left = LeftBehind::new(&installation);
        installation.shell.lines("helm rollback api-platform --namespace production --wait --timeout 5m");
        installation.serves_alone(&given("EAP_TEST_VERSION"));
        left.is_read(&installation);
        drop(mixed);
        smoke.join().unwrap()
    });
    println!("{smoke_runs} smoke tests, 8 of 8 each, while both versions served");
    until(Duration::from_mins(10), "enough requests", || load.count().requests() >= REQUESTS);
    let count = load.stop();
    println!("upgrade: {while_upgrading}\nin all: {count}");
    if std::env::var_os("UPDATE_PAGES").is_some() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operate/zero-downtime.md");
        fs::write(page, written(&count)).unwrap();
    }
    assert_eq!(count.failures(), 0, "{count}\n{}", ingress.complaints());
    assert!(while_upgrading.requests() > 500, "the load stood still: {while_upgrading}");
}

/// Ends what goes on meanwhile, also when a panic ends the scope: it would be waited for, and the reason not be told.
struct While<'a>(&'a AtomicBool);

impl Drop for While<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// The runbook's smoke test, again and again.
fn smoke_while(shell: &Shell, wanted: &AtomicBool) -> usize {
    let mut runs = 0;
    while wanted.load(Ordering::Relaxed) {
        let said = shell.lines("npm run test:smoke -- --env=production");
        assert!(said.contains("8 of 8"), "{said}");
        runs += 1;
    }
    runs
}

/// The page.
fn written(count: &Count) -> String {
    let mut page = "# An upgrade that nobody notices

A test installs this version with helm, puts load on it through an ingress, upgrades to a next version (with a column, which the chart's migration Job adds first, an event and a claim in its tokens that this one does not know) and rolls back. The load is of ten clients at once, reading and writing, half of them on connections that stay and half on a new one for each request; nobody tries again. Every answer that is no 2xx and every error of a connection would be counted, and fails the test.

| answer | requests |
|---|--:|
"
    .to_owned();
    for (what, requests) in count.each() {
        let _ = writeln!(page, "| {what} | {requests} |");
    }
    let _ = write!(
        page,
        "| **in all** | **{}** |
| **that failed** | **{}** |

What it takes: pods that count only after they were ready for five seconds, `maxUnavailable: 0`, five seconds between the decision to stop a pod and its SIGTERM, in which every proxy learns of it, and a server that then finishes what it began. What may be open longer than that: a request of more than 20 seconds.

Written by `UPDATE_PAGES=1 cargo xtask test --stage cluster under_load`.
",
        count.requests(),
        count.failures()
    );
    page
}

/// The runbook's line; the one client that makes all the load is not limited.
fn unlimited(version: &str) -> String {
    Installation::helm_line(version) + " \\\n  -f tests/cluster/unlimited.yaml"
}
