//! Analytics events under kill -9 and a database that goes away: what was acknowledged is there, each message once.

use crate::process::{Served, client, create_organization, json, token};
use reqwest::Client;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use testing::Database;
use tokio::{task::JoinSet, time::sleep};

/// Who sends, and what was acknowledged.
struct Load {
    client: Client,
    key: String,
    /// The processes that may be asked; the first one stays.
    bases: Mutex<Vec<String>>,
    next: AtomicUsize,
    stop: AtomicBool,
    acknowledged: Mutex<BTreeSet<String>>,
}

impl Load {
    /// As clients do it: the same messages again, wherever, until they are acknowledged.
    async fn send(self: Arc<Self>, sender: usize) {
        for batch in 0.. {
            if self.stop.load(Relaxed) {
                return;
            }
            let ids: Vec<_> = (0..20).map(|n| format!("{sender} {batch} {n}")).collect();
            let events: Vec<_> = ids.iter().map(|id| event(id, sender)).collect();
            let body = json!({ "batch": events });
            while !self.is_taken(&body).await {
                sleep(Duration::from_millis(3)).await;
            }
            self.acknowledged.lock().unwrap().extend(ids);
        }
    }

    async fn is_taken(&self, body: &Value) -> bool {
        let base = {
            let bases = self.bases.lock().unwrap();
            bases[self.next.fetch_add(1, Relaxed) % bases.len()].clone()
        };
        let sent = self.client.post(format!("{base}/v1/batch")).basic_auth(&self.key, Some("")).json(body).send().await;
        let Ok(answer) = sent else { return false };
        assert!([200, 503].contains(&answer.status().as_u16()), "{}", answer.status());
        answer.status() == 200 && answer.json::<Value>().await.is_ok_and(|body| body["success"] == true)
    }
}

fn event(id: &str, sender: usize) -> Value {
    json!({ "type": "track", "event": format!("Sent {}", sender % 3), "userId": format!("u{sender}"), "messageId": id })
}

/// The write key of a new source.
async fn source(base: &str) -> String {
    let token = token(base, "ada@example.com").await;
    let made = client().post(format!("{base}/v1/analytics/sources")).bearer_auth(token);
    let made = json(made.json(&json!({ "name": "Website" })).send().await.unwrap()).await;
    made["write_key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn processes_killed_under_load_lose_no_acknowledged_event_and_double_none() {
    let database = Database::new().await;
    create_organization(&database, "ada@example.com");
    let stays = Served::start(&database, None).await;
    let load = Arc::new(Load {
        client: client(),
        key: source(&stays.base).await,
        bases: Mutex::new(vec![stays.base.clone()]),
        next: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        acknowledged: Mutex::default(),
    });
    let mut senders = JoinSet::new();
    for sender in 0..8 {
        senders.spawn(Arc::clone(&load).send(sender));
    }
    for round in 0..6 {
        let dies = Served::start(&database, Some("org")).await;
        load.bases.lock().unwrap().push(dies.base.clone());
        sleep(Duration::from_millis(100 + 29 * round)).await;
        dies.process.kill();
        load.bases.lock().unwrap().truncate(1);
    }
    load.stop.store(true, Relaxed);
    senders.join_all().await;
    let owner = database.client("admin_user").await;
    let rows = owner.query("SELECT message_id FROM analytics_events", &[]).await.unwrap();
    let stored: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(rows.len(), stored.len(), "each once");
    let acknowledged = std::mem::take(&mut *load.acknowledged.lock().unwrap());
    assert!(acknowledged.len() > 1_000, "only {}", acknowledged.len());
    assert_eq!(stored, acknowledged, "every sender went on until its last message was acknowledged");
    let counted = owner.query_one("SELECT sum(events)::int8 FROM analytics_hourly", &[]).await.unwrap();
    assert_eq!(counted.get::<_, i64>(0), i64::try_from(rows.len()).unwrap(), "roll-ups count the same");
}

#[tokio::test]
async fn a_process_that_is_told_to_stop_answers_for_what_it_took() {
    let database = Database::new().await;
    create_organization(&database, "ada@example.com");
    let served = Served::start(&database, None).await;
    let key = source(&served.base).await;
    let batches = (0..30).map(|batch| {
        let events: Vec<_> = (0..20).map(|n| event(&format!("{batch} {n}"), batch)).collect();
        client().post(format!("{}/v1/batch", served.base)).basic_auth(&key, Some("")).json(&json!({ "batch": events }))
    });
    let mut sent: JoinSet<_> =
        batches.map(|request| async move { request.send().await.map(|answer| answer.status()) }).collect();
    // Some are answered, the others are on their way.
    sent.join_next().await.unwrap().unwrap().unwrap();
    let stopping = tokio::task::spawn_blocking(move || served.process.terminate());
    let answers = sent.join_all().await;
    assert!(stopping.await.unwrap().success());
    let taken = 1 + answers.iter().filter(|answer| answer.as_ref().is_ok_and(|status| *status == 200)).count();
    let owner = database.client("admin_user").await;
    let stored: i64 = owner.query_one("SELECT count(*) FROM analytics_events", &[]).await.unwrap().get(0);
    assert!(usize::try_from(stored).unwrap() >= taken * 20, "{stored} events of {taken} batches");
    assert!(taken >= 20, "only {taken} of 30 were answered");
}
