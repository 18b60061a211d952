//! Whatever a receiver does, it hurts nobody else, and reaches nothing that is not public.

use axum::{
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::{io, sync::atomic::Ordering::Relaxed, time::Duration};
use testing::Database;
use tests::{Person, Receiver, TestApp, trap, until};
use tokio::net::TcpStream;

const SECOND: Duration = Duration::from_secs(1);

async fn endpoint(person: &Person, body: Value) -> String {
    let answer = person.post("/v1/webhooks/endpoints", body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body["id"].as_str().unwrap().to_owned()
}

async fn messages(person: &Person, of: &str, count: usize) {
    for _ in 0..count {
        let answer = person.post("/v1/webhooks/messages", json!({ "type": of, "data": {} })).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
}

async fn list(person: &Person, query: &str) -> Vec<Value> {
    person.get(&format!("/v1/webhooks/deliveries?limit=200&{query}")).await.body["data"].as_array().unwrap().clone()
}

async fn only_attempt(person: &Person) -> Value {
    until(20 * SECOND, async || list(person, "").await.first().is_some_and(|one| one["attempt_count"] != 0)).await;
    let delivery = list(person, "").await.remove(0);
    let path = format!("/v1/webhooks/deliveries/{}", delivery["id"].as_str().unwrap());
    person.get(&path).await.body["attempts"][0].clone()
}

/// An app whose requests have little time, so that a test need not wait.
async fn hasty() -> TestApp {
    TestApp::with(Database::new().await, |options| options.delivery.deadline = 2 * SECOND).await
}

#[tokio::test]
async fn a_response_without_end_is_cut_and_recorded() {
    let app = hasty().await;
    let flood = |_: &_| {
        let chunk = Bytes::from_static(&[b'x'; 8_192]);
        Response::new(Body::from_stream(stream::repeat_with(move || Ok::<_, io::Error>(chunk.clone()))))
    };
    let receiver = Receiver::answering(flood).await;
    let ada = app.owner("ada").await;
    endpoint(&ada, json!({ "url": receiver.url(), "event_types": ["invoice.paid"] })).await;
    messages(&ada, "invoice.paid", 1).await;
    let attempt = only_attempt(&ada).await;
    assert_eq!((&attempt["status_code"], &attempt["error"]), (&json!(200), &Value::Null));
    assert_eq!(attempt["response"].as_str().unwrap().len(), 16 * 1_024);
}

#[tokio::test]
async fn a_receiver_that_never_answers_is_given_up_at_the_deadline() {
    let (app, receiver) = (hasty().await, Receiver::hanging().await);
    let ada = app.owner("ada").await;
    endpoint(&ada, json!({ "url": receiver.url(), "event_types": ["invoice.paid"] })).await;
    messages(&ada, "invoice.paid", 1).await;
    let attempt = only_attempt(&ada).await;
    assert_eq!((&attempt["status_code"], &attempt["error"]), (&Value::Null, &json!("timeout")));
    let took = attempt["duration_ms"].as_i64().unwrap();
    assert!((2_000..4_000).contains(&took), "{took} ms");
}

#[tokio::test]
async fn a_body_that_drips_is_given_up_at_the_same_deadline_and_its_beginning_is_kept() {
    let app = hasty().await;
    let drip = |_: &_| {
        let bytes = stream::repeat(Bytes::from_static(b"x")).then(|byte| async {
            tokio::time::sleep(SECOND / 5).await;
            Ok::<_, io::Error>(byte)
        });
        Response::new(Body::from_stream(bytes))
    };
    let receiver = Receiver::answering(drip).await;
    let ada = app.owner("ada").await;
    endpoint(&ada, json!({ "url": receiver.url(), "event_types": ["invoice.paid"] })).await;
    messages(&ada, "invoice.paid", 1).await;
    let attempt = only_attempt(&ada).await;
    assert_eq!((&attempt["status_code"], &attempt["error"]), (&json!(200), &json!("timeout")));
    let (took, beginning) = (attempt["duration_ms"].as_i64().unwrap(), attempt["response"].as_str().unwrap());
    assert!((2_000..4_000).contains(&took), "{took} ms");
    assert!(beginning.starts_with('x') && beginning.len() <= 20, "{beginning}");
}

#[tokio::test]
async fn a_rate_limit_is_kept_across_processes() {
    let first = TestApp::new().await;
    let second = TestApp::on(first.database.clone()).await;
    let receiver = Receiver::new().await;
    let ada = first.owner("ada").await;
    endpoint(&ada, json!({ "url": receiver.url(), "event_types": ["invoice.paid"], "rate_limit_per_second": 20 }))
        .await;
    messages(&ada, "invoice.paid", 30).await;
    messages(&ada.at(&second), "invoice.paid", 30).await;
    let seen = receiver.until(60).await;
    for (index, one) in seen.iter().enumerate() {
        let within = seen[index..].iter().filter(|other| other.at.duration_since(one.at) < SECOND).count();
        assert!(within <= 26, "{within} within a second");
    }
    let took = seen[59].at.duration_since(seen[0].at);
    assert!(took < 10 * SECOND, "it is a limit, not a standstill: {took:?}");
}

#[tokio::test]
async fn an_endpoint_has_at_most_its_concurrency_in_flight() {
    let app = hasty().await;
    let receiver = Receiver::hanging().await;
    let ada = app.owner("ada").await;
    endpoint(&ada, json!({ "url": receiver.url(), "event_types": ["invoice.paid"], "max_concurrency": 3 })).await;
    messages(&ada, "invoice.paid", 20).await;
    let seen = receiver.until(6).await;
    let first_ends = seen[0].at + Duration::from_millis(1_900);
    assert_eq!(seen.iter().filter(|one| one.at < first_ends).count(), 3);
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_leads_nowhere() {
    let (port, reached) = trap().await;
    let app = TestApp::new().await;
    let location = format!("http://127.0.0.1:{port}/latest/meta-data/");
    let redirect = move |_: &_| (StatusCode::TEMPORARY_REDIRECT, [("location", location.clone())]).into_response();
    let receiver = Receiver::answering(redirect).await;
    let ada = app.owner("ada").await;
    endpoint(&ada, json!({ "url": receiver.url(), "event_types": ["invoice.paid"] })).await;
    messages(&ada, "invoice.paid", 1).await;
    let attempt = only_attempt(&ada).await;
    assert_eq!((&attempt["status_code"], &attempt["error"]), (&json!(307), &json!("status")));
    assert_eq!(reached.load(Relaxed), 0);
}

#[tokio::test]
async fn what_became_private_after_it_was_made_is_reached_no_more() {
    let (port, reached) = trap().await;
    let database = Database::new().await;
    let development = TestApp::on(database.clone()).await;
    let ada = development.owner("ada").await;
    endpoint(&ada, json!({ "url": format!("http://127.0.0.1:{port}/"), "event_types": ["invoice.paid"] })).await;
    development.stop().await;
    // The same database, served by the rules of production.
    let app = TestApp::with(database, |options| options.delivery = webhooks::Delivery::default()).await;
    let ada = ada.at(&app);
    messages(&ada, "invoice.paid", 1).await;
    assert_eq!(only_attempt(&ada).await["error"], "not_allowed");
    assert_eq!(reached.load(Relaxed), 0);
}

/// What no API takes any more: written behind its back, as if a rule were new or a check of it had been passed by.
const REFUSED: &str = include_str!("../../../contexts/webhooks/tests/refused_urls.txt");
/// How this machine can be called.
const THIS_MACHINE: &[&str] = &[
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "%31%32%37.0.0.1",
    "127\u{3002}0\u{3002}0\u{3002}1",
    "0.0.0.0",
    "localhost",
    "localhost.",
    "[::]",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
];

#[tokio::test]
async fn no_url_that_is_stored_reaches_what_is_not_public() {
    let (port, reached) = trap().await;
    drop(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    until(5 * SECOND, async || reached.load(Relaxed) == 1).await;
    let of_this_machine = THIS_MACHINE.iter().flat_map(|host| {
        [format!("https://{host}:{port}/"), format!("http://{host}:{port}/"), format!("https://u:p@{host}:{port}/")]
    });
    let urls: Vec<_> = REFUSED.lines().map(str::to_owned).chain(of_this_machine).collect();
    assert!(urls.len() >= 100);

    let app = TestApp::with(Database::new().await, |options| options.delivery = webhooks::Delivery::default()).await;
    let (ada, owner) = (app.owner("ada").await, app.database.client("postgres").await);
    for url in &urls {
        let id = endpoint(&ada, json!({ "url": "https://example.com/", "event_types": ["invoice.paid"] })).await;
        let id: types::EndpointId = id.parse().unwrap();
        owner.execute("UPDATE endpoints SET url = $1 WHERE id = $2", &[url, &id]).await.unwrap();
    }
    messages(&ada, "invoice.paid", 1).await;
    let outcomes =
        "SELECT e.url, a.error FROM attempts a JOIN delivery_queue q ON q.org_id = a.org_id AND q.id = a.delivery_id
        JOIN endpoints e ON e.org_id = q.org_id AND e.id = q.endpoint_id";
    let mut rows = vec![];
    until(20 * SECOND, async || {
        rows = owner.query(outcomes, &[]).await.unwrap();
        rows.len() == urls.len()
    })
    .await;
    for row in rows {
        assert_eq!(row.get::<_, Option<&str>>(1), Some("not_allowed"), "{}", row.get::<_, &str>(0));
    }
    assert_eq!(reached.load(Relaxed), 1, "nobody but the test itself");
}
