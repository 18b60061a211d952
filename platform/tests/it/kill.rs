//! kill -9, anywhere: what was acknowledged is there, and each of it is told exactly once.

use crate::process::{Served, client, create_organization, json, token, until};
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use testing::Database;
use tokio::{task::JoinSet, time::sleep};

/// Writes until told to stop, and remembers what was acknowledged.
async fn write(base: String, token: String, stop: Arc<AtomicBool>, acknowledged: Arc<Mutex<BTreeSet<String>>>) {
    let client = client();
    while !stop.load(Relaxed) {
        let body = json!({ "type": "note", "document": { "title": "written" } });
        let asked = client.post(format!("{base}/v1/resources")).bearer_auth(&token).json(&body).send();
        match asked.await {
            Ok(answer) if answer.status() == 201 => {
                // The answer's head was sent after the commit; its rest may be lost with the process.
                let Ok(body) = answer.json::<serde_json::Value>().await else { continue };
                acknowledged.lock().unwrap().insert(body["id"].as_str().unwrap().to_owned());
            }
            _ => sleep(Duration::from_millis(5)).await,
        }
    }
}

#[tokio::test]
async fn a_process_killed_anywhere_loses_and_doubles_no_event() {
    let database = Database::new().await;
    create_organization(&database, "ada@example.com");
    let stays = Served::start(&database, None).await;
    let token = token(&stays.base, "ada@example.com").await;
    let note = json!({ "name": "note", "schema": { "type": "object" }, "indexed": [] });
    let made = client().post(format!("{}/v1/resource-types", stays.base)).bearer_auth(&token).json(&note).send();
    json(made.await.unwrap()).await;
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<BTreeSet<_>>>::default());
    let mut writers = JoinSet::new();
    let mut load = |base: &str| {
        writers.spawn(write(base.to_owned(), token.clone(), Arc::clone(&stop), Arc::clone(&acknowledged)));
    };
    load(&stays.base);
    // Whichever process holds the sequencer's lease, some of these are killed with it, at another moment each.
    for round in 0..6 {
        let dies = Served::start(&database, None).await;
        load(&dies.base);
        load(&dies.base);
        sleep(Duration::from_millis(150 + 37 * round)).await;
        dies.process.kill();
    }
    stop.store(true, Relaxed);
    writers.join_all().await;
    let owner = database.client("admin_user").await;
    until(async || owner.query_one("SELECT count(*) FROM outbox", &[]).await.unwrap().get::<_, i64>(0) == 0).await;
    let one = async |sql: &str| owner.query_one(sql, &[]).await.unwrap().get::<_, i64>(0);
    let written = one("SELECT count(*) FROM resources").await;
    let told = "FROM events WHERE kind = 'resource.created'";
    assert_eq!(one(&format!("SELECT count(*) {told}")).await, written, "as many events as rows");
    assert_eq!(one(&format!("SELECT count(DISTINCT target) {told}")).await, written, "each once");
    assert_eq!(one("SELECT count(*) - count(DISTINCT position) FROM events").await, 0, "each has its own position");
    assert_eq!(one("SELECT max(position) - min(position) + 1 - count(*) FROM events").await, 0, "without a gap");
    let rows = owner.query(&format!("SELECT target {told}"), &[]).await.unwrap();
    let told: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    let acknowledged = acknowledged.lock().unwrap();
    assert!(acknowledged.len() > 50, "only {} writes", acknowledged.len());
    assert!(acknowledged.is_subset(&told), "lost: {:?}", acknowledged.difference(&told).collect::<Vec<_>>());
}
