//! Clients that others wrote, unmodified: all their events arrive.

use serde_json::json;
use std::{collections::BTreeMap, path::PathBuf};
use tests::{TestApp, client_libraries};
use tokio::process::Command;

const EVENTS: usize = 400;

/// Runs a client against a platform of its own; how often each kind of event arrived.
async fn delivered(program: impl FnOnce(&PathBuf) -> Command) -> BTreeMap<String, usize> {
    let app = TestApp::new().await;
    let (_, key) = app.owner("ada").await.source().await;
    let mut command = program(&client_libraries("analytics"));
    command.args([&app.base(), &key, &EVENTS.to_string()]).env_remove("HTTP_PROXY").env_remove("HTTPS_PROXY");
    let output = command.env("NO_PROXY", "*").output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let owner = app.database.client("admin_user").await;
    let kinds = "SELECT n.kind, count(DISTINCT e.message_id), count(*) FROM analytics_events e
                 JOIN analytics_names n ON n.org_id = e.org_id AND n.id = e.name_id GROUP BY 1";
    let rows = owner.query(kinds, &[]).await.unwrap();
    assert!(rows.iter().all(|row| row.get::<_, i64>(1) == row.get::<_, i64>(2)), "each once");
    rows.iter().map(|row| (row.get(0), usize::try_from(row.get::<_, i64>(2)).unwrap())).collect()
}

/// Every kind once, but for the many.
fn all() -> BTreeMap<String, usize> {
    let kinds = json!({ "track": EVENTS, "identify": 1, "page": 1, "screen": 1, "group": 1, "alias": 1 });
    serde_json::from_value(kinds).unwrap()
}

fn node(folder: &PathBuf, script: &str) -> Command {
    let mut node = Command::new("node");
    node.arg(script).current_dir(folder);
    node
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn segments_client_for_node_delivers_every_event() {
    assert_eq!(delivered(|folder| node(folder, "segment.mjs")).await, all());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rudderstacks_client_for_node_delivers_every_event() {
    assert_eq!(delivered(|folder| node(folder, "rudder.mjs")).await, all());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn segments_client_for_python_delivers_every_event_plain_and_zipped() {
    let python = |folder: &PathBuf| {
        let mut python = Command::new("python3");
        python.arg("send.py").current_dir(folder).env("PYTHONPATH", folder.join("python"));
        python
    };
    assert_eq!(delivered(python).await, all());
}
