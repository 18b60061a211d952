//! What fails is tried again, when it should and no longer than it should.

use axum::response::IntoResponse;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};
use tests::{Person, Receiver, TestApp, until};
use types::Timestamp;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const STEPS: [u64; 9] = [5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];

/// A test lasts days by its clock, longer than a token: who asks signs in again by the clock of the platform.
async fn again(app: &TestApp, person: &Person) -> Person {
    let login = json!({ "email": person.email, "password": tests::PASSWORD });
    let answer = app.post("/v1/auth/login", login).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    app.person(&person.email, &answer.body)
}

async fn endpoint(person: &Person, url: &str, of: &str) -> String {
    let answer = person.post("/v1/webhooks/endpoints", json!({ "url": url, "event_types": [of] })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body["id"].as_str().unwrap().to_owned()
}

async fn show(person: &Person, id: &str) -> Value {
    person.get(&format!("/v1/webhooks/endpoints/{id}")).await.body
}

/// The newest delivery with its attempts, as soon as it has so many.
async fn delivery(person: &Person, attempts: usize) -> Value {
    let found = tokio::sync::Mutex::new(Value::Null);
    until(20 * SECOND, async || {
        let list = person.get("/v1/webhooks/deliveries?limit=1").await.body;
        let Some(id) = list["data"][0]["id"].as_str() else { return false };
        let details = person.get(&format!("/v1/webhooks/deliveries/{id}")).await.body;
        let counted = usize::try_from(details["attempt_count"].as_u64().unwrap()).unwrap();
        let is_there = counted.min(details["attempts"].as_array().unwrap().len()) >= attempts;
        *found.lock().await = details;
        is_there
    })
    .await;
    found.into_inner()
}

fn millis(value: &Value) -> i64 {
    value.as_str().unwrap().parse::<Timestamp>().unwrap().as_millis()
}

#[tokio::test]
async fn a_delivery_that_fails_is_tried_by_the_schedule_and_then_never_again() {
    let (app, receiver) = (TestApp::new().await, Receiver::status(500).await);
    let mut ada = app.owner("ada").await;
    endpoint(&ada, receiver.url(), "invoice.paid").await;
    ada.publish("invoice.paid").await;
    for (index, step) in STEPS.into_iter().enumerate() {
        let details = delivery(&ada, index + 1).await;
        let waits = millis(&details["next_attempt_at"]) - app.now().as_millis();
        let step = i64::try_from(step * 1_000).unwrap();
        assert!((step * 9 / 10..=step * 11 / 10).contains(&waits), "{waits} ms after attempt {}", index + 1);
        assert_eq!(details["status"], "pending");
        app.clock.advance(Duration::from_millis(u64::try_from(waits).unwrap() + 1));
        ada = again(&app, &ada).await;
        receiver.until(index + 2).await;
    }
    let details = delivery(&ada, 10).await;
    until(5 * SECOND, async || delivery(&ada, 10).await["status"] == "failed").await;
    assert_eq!(details["attempts"].as_array().unwrap().len(), 10);
    app.clock.advance(Duration::from_hours(24));
    assert_eq!((receiver.count(), receiver.ids().len()), (10, 1), "always the same webhook-id");
    let seen = receiver.seen();
    assert_ne!(seen[0].headers["webhook-timestamp"], seen[9].headers["webhook-timestamp"], "of the attempt");
    assert_eq!(seen[0].text, seen[9].text);
}

#[tokio::test]
async fn a_receiver_says_when_it_wants_the_next_attempt() {
    let app = TestApp::new().await;
    let asked = |_: &_| (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "120")], "later").into_response();
    let receiver = Receiver::answering(asked).await;
    let ada = app.owner("ada").await;
    endpoint(&ada, receiver.url(), "invoice.paid").await;
    ada.publish("invoice.paid").await;
    let details = delivery(&ada, 1).await;
    assert_eq!(millis(&details["next_attempt_at"]) - app.now().as_millis(), 120_000);
    assert_eq!(
        (&details["attempts"][0]["status_code"], &details["attempts"][0]["response"]),
        (&json!(503), &json!("later"))
    );
}

#[tokio::test]
async fn an_overloaded_endpoint_gets_nothing_else_until_it_can() {
    let app = TestApp::new().await;
    let receiver =
        Receiver::answering(|_| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "30")]).into_response()).await;
    let other = Receiver::new().await;
    let ada = app.owner("ada").await;
    endpoint(&ada, receiver.url(), "invoice.paid").await;
    endpoint(&ada, other.url(), "invoice.paid").await;
    ada.publish("invoice.paid").await;
    receiver.until(1).await;
    other.until(1).await;
    until(5 * SECOND, async || !ada.get("/v1/webhooks/deliveries?status=delivered").await.body["data"][0].is_null())
        .await;
    delivery(&ada, 1).await;
    receiver.answer(|_| StatusCode::OK.into_response());
    ada.publish("invoice.paid").await;
    other.until(2).await;
    assert_eq!(receiver.count(), 1, "the message waits because its endpoint asked for it");
    app.clock.advance(Duration::from_secs(34));
    receiver.until(3).await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_and_the_organization_is_told() {
    let app = TestApp::new().await;
    let (gone, other) = (Receiver::status(410).await, Receiver::new().await);
    let ada = app.owner("ada").await;
    let id = endpoint(&ada, gone.url(), "invoice.paid").await;
    endpoint(&ada, other.url(), "endpoint.disabled").await;
    ada.publish("invoice.paid").await;
    let told = other.until(1).await.remove(0);
    assert_eq!((&told.body["data"], told.of()), (&json!({ "id": id, "reason": "gone" }), "endpoint.disabled"));
    let shown = show(&ada, &id).await;
    assert_eq!((&shown["enabled"], &shown["disabled_reason"]), (&json!(false), &json!("gone")));
    ada.publish("invoice.paid").await;
    let enabled = ada.patch(&format!("/v1/webhooks/endpoints/{id}"), json!({ "enabled": true })).await.body;
    assert_eq!((&enabled["enabled"], &enabled["disabled_reason"]), (&json!(true), &Value::Null));
    assert_eq!(gone.count(), 1);
}

#[tokio::test]
async fn an_endpoint_that_fails_for_five_days_is_disabled_and_the_organization_is_told() {
    let app = TestApp::new().await;
    let (failing, other) = (Receiver::status(500).await, Receiver::new().await);
    let mut ada = app.owner("ada").await;
    let id = endpoint(&ada, failing.url(), "invoice.paid").await;
    endpoint(&ada, other.url(), "endpoint.disabled").await;
    for day in 0..5 {
        ada.publish("invoice.paid").await;
        let before = failing.count();
        failing.until(before.max(day + 1)).await;
        until(10 * SECOND, async || show(&ada, &id).await["failing_since"].is_string()).await;
        assert_eq!(show(&ada, &id).await["enabled"], true, "day {day}");
        app.clock.advance(Duration::from_hours(24));
        ada = again(&app, &ada).await;
    }
    let told = other.until(1).await.remove(0);
    assert_eq!(told.body["data"]["reason"], "failing");
    assert_eq!(show(&ada, &id).await["enabled"], false);
}

#[tokio::test]
async fn after_failures_in_a_row_one_delivery_at_a_time_tries_whether_the_endpoint_is_back() {
    let app = TestApp::new().await;
    let receiver = Receiver::status(500).await;
    let mut ada = app.owner("ada").await;
    let id = endpoint(&ada, receiver.url(), "invoice.paid").await;
    for _ in 0..5 {
        ada.publish("invoice.paid").await;
    }
    until(10 * SECOND, async || show(&ada, &id).await["circuit"] == "open").await;
    until(20 * SECOND, async || app.metrics().contains("platform_webhook_circuits_open 1")).await;
    let before = receiver.count();
    for _ in 0..20 {
        ada.publish("invoice.paid").await;
    }
    until(10 * SECOND, async || {
        ada.get("/v1/webhooks/deliveries?status=pending").await.body["data"].as_array().unwrap().len() == 25
    })
    .await;
    assert_eq!(receiver.count(), before, "nothing is sent while the circuit is open");
    app.clock.advance(Duration::from_secs(31));
    receiver.until(before + 1).await;
    until(10 * SECOND, async || show(&ada, &id).await["circuit"] == "open").await;
    assert_eq!(receiver.count(), before + 1, "one has tried");
    receiver.answer(|_| StatusCode::OK.into_response());
    app.clock.advance(Duration::from_mins(10));
    ada = again(&app, &ada).await;
    until(20 * SECOND, async || {
        ada.get("/v1/webhooks/deliveries?status=delivered").await.body["data"].as_array().unwrap().len() == 25
    })
    .await;
    assert_eq!(show(&ada, &id).await["circuit"], "closed");
    until(20 * SECOND, async || app.metrics().contains("platform_webhook_circuits_open 0")).await;
    let details = delivery(&ada, 1).await;
    assert!(["half_open", "closed"].contains(&details["attempts"][0]["circuit"].as_str().unwrap()), "{details}");
}

#[tokio::test]
async fn every_process_says_how_many_circuits_are_open() {
    let first = TestApp::new().await;
    let (second, failing) = (TestApp::on(first.database.clone()).await, Receiver::status(500).await);
    let ada = first.owner("ada").await;
    let id = endpoint(&ada, failing.url(), "invoice.paid").await;
    for _ in 0..5 {
        ada.publish("invoice.paid").await;
    }
    until(10 * SECOND, async || show(&ada, &id).await["circuit"] == "open").await;
    let say = async |line: &str| {
        until(30 * SECOND, async || [&first, &second].iter().all(|app| app.metrics().contains(line))).await;
    };
    say("platform_webhook_circuits_open 1").await;
    let later = TestApp::on(first.database.clone()).await;
    until(30 * SECOND, async || later.metrics().contains("platform_webhook_circuits_open 1")).await;
    let opened = |app: &TestApp| app.metrics().contains("platform_webhook_circuits_opened_total 1");
    assert!(opened(&first) != opened(&second), "it opened once");
    // No attempt says so.
    assert_eq!(ada.delete(&format!("/v1/webhooks/endpoints/{id}")).await.status, 204);
    say("platform_webhook_circuits_open 0").await;
}

#[tokio::test]
async fn a_delivery_is_repeated_under_its_webhook_id_when_somebody_asks() {
    let app = TestApp::new().await;
    let receiver = Receiver::status(500).await;
    let ada = app.owner("ada").await;
    endpoint(&ada, receiver.url(), "invoice.paid").await;
    ada.publish("invoice.paid").await;
    let waiting = delivery(&ada, 1).await;
    let path = format!("/v1/webhooks/deliveries/{}/retry", waiting["id"].as_str().unwrap());
    receiver.answer(|_| StatusCode::OK.into_response());
    let hastened = ada.post(&path, json!({})).await;
    assert_eq!((hastened.status.as_u16(), &hastened.body["id"]), (200, &waiting["id"]));
    receiver.until(2).await;
    until(10 * SECOND, async || delivery(&ada, 2).await["status"] == "delivered").await;
    let repeated = ada.post(&path, json!({})).await.body;
    assert_ne!(repeated["id"], waiting["id"]);
    receiver.until(3).await;
    assert_eq!(receiver.ids().len(), 1);
}

#[tokio::test]
async fn two_processes_deliver_each_message_once() {
    let first = TestApp::new().await;
    let second = TestApp::on(first.database.clone()).await;
    let receiver = Receiver::new().await;
    let ada = first.owner("ada").await;
    let body = json!({ "url": receiver.url(), "event_types": ["invoice.paid"], "max_concurrency": 50 });
    assert_eq!(ada.post("/v1/webhooks/endpoints", body).await.status, 201);
    let sent = AtomicUsize::new(0);
    let other = ada.at(&second);
    let publish = async |person: &Person| {
        for _ in 0..100 {
            person.publish("invoice.paid").await;
            sent.fetch_add(1, Relaxed);
        }
    };
    tokio::join!(publish(&ada), publish(&other), publish(&ada), publish(&other));
    receiver.until(400).await;
    until(20 * SECOND, async || ada.get("/v1/webhooks/deliveries?status=pending").await.body["data"] == json!([]))
        .await;
    assert_eq!((sent.into_inner(), receiver.count(), receiver.ids().len()), (400, 400, 400));
}
