//! kill -9 of whoever delivers webhooks: every message that was acknowledged arrives, and what arrives twice has the
//! `webhook-id` by which its receiver knows it.

use crate::process::{Dev, client, folder, json, until, until_within};
use axum::{Router, extract::State, http::HeaderMap};
use serde_json::json as object;
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    sync::{Arc, Mutex},
    time::Duration,
};
use testing::Database;
use tokio::{net::TcpListener, task::JoinSet, time::sleep};

pub(crate) type Seen = Arc<Mutex<BTreeMap<String, usize>>>;

/// Messages that wait when the first process dies; `EAP_TEST_LONG` makes it the ten thousand of the long run.
fn count() -> usize {
    if env::var_os("EAP_TEST_LONG").is_some() { 10_000 } else { 2_000 }
}

/// A receiver that takes its time, so that processes die with deliveries in flight.
pub(crate) async fn receiver() -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, seen) = (format!("http://{}/", listener.local_addr().unwrap()), Seen::default());
    let receive = async |State(seen): State<Seen>, headers: HeaderMap| {
        sleep(Duration::from_millis(20)).await;
        *seen.lock().unwrap().entry(headers["webhook-id"].to_str().unwrap().to_owned()).or_default() += 1;
    };
    let router = Router::new().fallback(receive).with_state(Arc::clone(&seen));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, seen)
}

/// Sends messages from several tasks; their ids, which were acknowledged.
async fn publish(dev: &Dev, token: &str, count: usize) -> BTreeSet<String> {
    let (mut senders, client) = (JoinSet::new(), client());
    for _ in 0..8 {
        let request = client.post(format!("{}/webhooks/messages", dev.api)).bearer_auth(token);
        let request = request.json(&object!({ "type": "invoice.paid", "data": {} }));
        senders.spawn(async move {
            let mut ids = vec![];
            for _ in 0..count / 8 {
                let answer = json(request.try_clone().unwrap().send().await.unwrap()).await;
                ids.push(answer["id"].as_str().unwrap().to_owned());
            }
            ids
        });
    }
    senders.join_all().await.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_delivers_webhooks_is_killed_again_and_again_and_every_message_arrives() {
    let (database, folder, (url, seen)) = (Database::new().await, folder(), receiver().await);
    let first = Dev::start(&database, folder.path()).await;
    let token = first.token().await;
    let endpoint = object!({ "url": url, "event_types": ["invoice.paid"], "max_concurrency": 20 });
    first.post(&token, "webhooks/endpoints", endpoint).await;
    // Nothing is sent while they are queued: an endpoint that is paused keeps what it is to get.
    let owner = database.client("postgres").await;
    let pause = "UPDATE endpoints SET paused_until = now() + interval '1 day'";
    let go_on = "UPDATE endpoints SET paused_until = NULL";
    owner.batch_execute(pause).await.unwrap();
    let sent = publish(&first, &token, count()).await;
    let queued = async || owner.query_one("SELECT count(*) FROM delivery_queue", &[]).await.unwrap().get::<_, i64>(0);
    until_within(Duration::from_mins(2), async || usize::try_from(queued().await).unwrap() == sent.len()).await;
    // Two at a time; each is killed in the middle of its work, at another moment each.
    let mut dies = first;
    for round in 0..4 {
        let next = Dev::start(&database, folder.path()).await;
        owner.batch_execute(go_on).await.unwrap();
        let before = seen.lock().unwrap().len();
        until(async || seen.lock().unwrap().len() > before + 40 + 13 * round).await;
        dies.process.kill();
        dies = next;
        // A process takes its time to start: meanwhile nothing is sent, or all would be there before the last one dies.
        owner.batch_execute(pause).await.unwrap();
        // What is leased is leased for half a minute: that time is not waited for here. The one that lives loses its
        // leases too, which costs repetitions and nothing else.
        owner.batch_execute("UPDATE delivery_queue SET lease_until = now() WHERE lease_until > now()").await.unwrap();
    }
    assert!(queued().await > 0, "nothing was left to deliver when the last one died");
    owner.batch_execute(go_on).await.unwrap();
    until_within(Duration::from_mins(5), async || queued().await == 0).await;
    let seen = seen.lock().unwrap().clone();
    let arrived: BTreeSet<_> = seen.keys().cloned().collect();
    assert_eq!(arrived, sent, "each that was acknowledged, and nothing else");
    let log = owner.query_one("SELECT count(*), count(DISTINCT message_id) FROM deliveries", &[]).await.unwrap();
    let (finished, messages): (i64, i64) = (log.get(0), log.get(1));
    assert_eq!((finished, messages), (i64::try_from(sent.len()).unwrap(), finished), "each is finished once");
    let twice = seen.values().filter(|times| **times > 1).count();
    assert!(twice <= 4 * 20 * 3, "{twice} arrived twice: more than were in flight");
}
