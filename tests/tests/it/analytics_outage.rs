//! PostgreSQL is restarted while events come.

use crate::outage::{Folder, load, prepared};
use db::secrets::MasterKey;
use platform::{Options, Server};
use private_postgres::{Cluster, Programs, Purpose};
use reqwest::Client;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tests::{Answer, send, until};
use tokio::task::JoinSet;

struct Senders {
    client: Client,
    url: String,
    key: String,
    stop: AtomicBool,
    acknowledged: Mutex<BTreeSet<String>>,
    /// How often each status came, with and without `Retry-After`.
    answers: Mutex<BTreeMap<(u16, bool), usize>>,
}

impl Senders {
    /// The same message again until it is acknowledged, as clients do it.
    async fn run(self: Arc<Self>, sender: usize) {
        for number in 0.. {
            if self.stop.load(Relaxed) {
                return;
            }
            let id = format!("{sender} {number}");
            let event = json!({ "event": "Sent", "userId": sender, "messageId": id });
            while self.send(&event).await.status != 200 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            self.acknowledged.lock().unwrap().insert(id);
        }
    }

    async fn send(&self, event: &Value) -> Answer {
        let answer = send(self.client.post(&self.url).basic_auth(&self.key, Some("")).json(event)).await;
        let kind = (answer.status.as_u16(), answer.headers.contains_key("retry-after"));
        *self.answers.lock().unwrap().entry(kind).or_default() += 1;
        answer
    }

    fn answered(&self, status: u16) -> usize {
        let answers = self.answers.lock().unwrap();
        answers.iter().filter(|((one, _), _)| *one == status).map(|(_, count)| count).sum()
    }

    async fn until(&self, status: u16, count: usize) {
        let before = self.answered(status);
        until(Duration::from_secs(15), async || self.answered(status) >= before + count).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_postgresql_loses_no_acknowledged_event_and_doubles_none() {
    let programs = Programs::find().unwrap();
    let folder = Folder(std::env::temp_dir().join(format!("analytics-outage-{}", std::process::id())));
    let cluster = Cluster::start(&programs, &folder.0, Purpose::Development).unwrap();
    let options =
        Options { master_key: MasterKey::of_secret(b"outage"), ..Options::for_tests(prepared(&cluster).await) };
    let server = Server::start(options).unwrap();
    server.ready().await;
    let owner = load(&server).await;
    let made = owner.client.post(format!("{}/v1/analytics/sources", owner.base)).bearer_auth(&owner.token);
    let made = send(made.json(&json!({ "name": "Website" }))).await;
    let senders = Arc::new(Senders {
        client: owner.client.clone(),
        url: format!("{}/v1/track", owner.base),
        key: made.body["write_key"].as_str().unwrap().to_owned(),
        stop: AtomicBool::new(false),
        acknowledged: Mutex::default(),
        answers: Mutex::default(),
    });
    let mut running = JoinSet::new();
    for sender in 0..20 {
        running.spawn(Arc::clone(&senders).run(sender));
    }
    senders.until(200, 100).await;
    drop(cluster);
    senders.until(503, 40).await;
    let cluster = Cluster::start(&programs, &folder.0, Purpose::Development).unwrap();
    senders.until(200, 200).await;
    senders.stop.store(true, Relaxed);
    running.join_all().await;

    let answers = senders.answers.lock().unwrap().clone();
    assert!(answers.keys().all(|kind| [(200, false), (503, true)].contains(kind)), "{answers:?}");
    let superuser = migrate::connect(&cluster.url("postgres", "outage")).await.unwrap();
    let rows = superuser.query("SELECT message_id FROM analytics_events", &[]).await.unwrap();
    let stored: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(rows.len(), stored.len(), "each once");
    assert_eq!(stored, *senders.acknowledged.lock().unwrap());
    server.stop().await;
}
