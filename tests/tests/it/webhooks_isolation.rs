//! Whatever a receiver does, it hurts nobody else, and reaches nothing that is not public.

use axum::{
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use testing::Database;
use tests::{Person, Receiver, TestApp, until};
use tokio::net::TcpListener;

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

/// Counts who connects to this machine.
async fn trap() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, reached) = (listener.local_addr().unwrap().port(), Arc::<AtomicUsize>::default());
    let counter = Arc::clone(&reached);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counter.fetch_add(1, Relaxed);
        }
    });
    (port, reached)
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
