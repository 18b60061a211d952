//! PostgreSQL goes away while webhooks are sent and delivered, and comes back.

use crate::outage::{Folder, load, prepared};
use db::secrets::MasterKey;
use platform::{Options, Server};
use private_postgres::{Cluster, Programs, Purpose};
use reqwest::Client;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tests::{Receiver, send, until};
use webhooks::{Delivery, Rules};

const SECOND: Duration = Duration::from_secs(1);

struct Sender {
    client: Client,
    base: String,
    token: String,
    stopped: AtomicBool,
    acknowledged: Mutex<BTreeSet<String>>,
}

impl Sender {
    async fn new(server: &Server) -> Self {
        let owner = load(server).await;
        let (client, base, token) = (owner.client.clone(), owner.base.clone(), owner.token.clone());
        Self { client, base, token, stopped: false.into(), acknowledged: Mutex::default() }
    }

    async fn post(&self, path: &str, body: Value) -> tests::Answer {
        send(self.client.post(format!("{}/v1/webhooks/{path}", self.base)).bearer_auth(&self.token).json(&body)).await
    }

    async fn run(self: Arc<Self>) {
        while !self.stopped.load(Relaxed) {
            let answer = self.post("messages", json!({ "type": "invoice.paid", "data": {} })).await;
            if answer.status == 202 {
                self.acknowledged.lock().unwrap().insert(answer.body["id"].as_str().unwrap().to_owned());
            } else {
                assert_eq!(answer.status, 503, "{answer:?}");
            }
        }
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_delivered_although_postgresql_restarts_meanwhile() {
    let programs = Programs::find().unwrap();
    let folder = Folder(std::env::temp_dir().join(format!("webhooks-outage-{}", std::process::id())));
    let cluster = Cluster::start(&programs, &folder.0, Purpose::Development).unwrap();
    let delivery = Delivery { rules: Rules { loopback: true, allow_http_to: None }, ..Delivery::default() };
    let options = Options {
        master_key: MasterKey::of_secret(b"outage"),
        delivery,
        ..Options::for_tests(prepared(&cluster).await)
    };
    let server = Server::start(options).unwrap();
    server.ready().await;
    let (sender, receiver) = (Arc::new(Sender::new(&server).await), Receiver::new().await);
    let made = sender.post("endpoints", json!({ "url": receiver.url(), "event_types": ["invoice.paid"] })).await;
    assert_eq!(made.status, 201, "{made:?}");

    let sending = tokio::spawn(Arc::clone(&sender).run());
    until(20 * SECOND, async || receiver.count() >= 50).await;
    drop(cluster);
    let cluster = Cluster::start(&programs, &folder.0, Purpose::Development).unwrap();
    let before = sender.count();
    until(20 * SECOND, async || sender.count() >= before + 50).await;
    sender.stopped.store(true, Relaxed);
    sending.await.unwrap();

    let acknowledged = sender.acknowledged.lock().unwrap().clone();
    until(60 * SECOND, async || receiver.ids().is_superset(&acknowledged)).await;
    server.stop().await;
    drop(cluster);
}
