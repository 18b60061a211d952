//! Webhooks over time and in numbers: hours of failure, many endpoints, an open snapshot, retention.

use axum::response::IntoResponse;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use tests::{Person, Receiver, TestApp, until};

const SECOND: Duration = Duration::from_secs(1);

async fn endpoint(person: &Person, body: Value) {
    let answer = person.post("/v1/webhooks/endpoints", body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

async fn again(app: &TestApp, person: &Person) -> Person {
    let login = json!({ "email": person.email, "password": tests::PASSWORD });
    app.person(&person.email, &app.post("/v1/auth/login", login).await.body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_fails_for_an_hour_gets_everything_afterwards() {
    let app = TestApp::new().await;
    let failing = Receiver::status(500).await;
    let mut ada = app.owner("ada").await;
    endpoint(&ada, json!({ "url": failing.url(), "event_types": ["noise.made"] })).await;
    let mut sent = BTreeSet::new();
    for _ in 0..6 {
        for _ in 0..20 {
            sent.insert(ada.publish("noise.made").await);
        }
        failing.until(1).await;
        app.clock.advance(Duration::from_mins(10));
        ada = again(&app, &ada).await;
    }
    assert!(failing.count() < sent.len(), "{} attempts: the circuit breaker spares it", failing.count());
    failing.answer(|_| StatusCode::OK.into_response());
    for _ in 0..12 {
        app.clock.advance(Duration::from_mins(10));
        tokio::time::timeout(SECOND, until(20 * SECOND, async || failing.ids() == sent)).await.ok();
    }
    until(20 * SECOND, async || failing.ids() == sent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_endpoint_of_many_organizations_has_its_turn() {
    let (app, receiver) = (TestApp::new().await, Receiver::new().await);
    let owners = [app.owner("ada").await, app.owner("grace").await, app.owner("hedy").await];
    for owner in &owners {
        for n in 0..70 {
            endpoint(
                owner,
                json!({ "url": format!("{}/{}/{n}", receiver.url(), owner.org), "event_types": ["invoice.paid"] }),
            )
            .await;
        }
    }
    for owner in &owners {
        owner.publish("invoice.paid").await;
        owner.publish("invoice.paid").await;
    }
    let seen = receiver.until(420).await;
    let paths: BTreeSet<_> = seen.iter().map(|one| one.path.clone()).collect();
    assert_eq!((seen.len(), paths.len()), (420, 210));
}

#[tokio::test]
async fn deliveries_go_on_beside_a_snapshot_that_stays_open() {
    let (app, receiver) = (TestApp::new().await, Receiver::new().await);
    let ada = app.owner("ada").await;
    endpoint(&ada, json!({ "url": receiver.url(), "event_types": ["invoice.paid"] })).await;
    // As a dump holds it: nothing that dies from now on is cleaned away.
    let dump = app.database.client("postgres").await;
    dump.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM delivery_queue").await.unwrap();
    for _ in 0..300 {
        ada.publish("invoice.paid").await;
    }
    receiver.until(300).await;
    let start = Instant::now();
    ada.publish("invoice.paid").await;
    receiver.until(301).await;
    assert!(start.elapsed() < 2 * SECOND, "{:?}", start.elapsed());
    dump.batch_execute("COMMIT").await.unwrap();
}

#[tokio::test]
async fn after_thirty_days_nothing_of_a_delivery_is_kept() {
    let (app, receiver) = (TestApp::new().await, Receiver::new().await);
    let ada = app.owner("ada").await;
    endpoint(&ada, json!({ "url": receiver.url(), "event_types": ["invoice.paid"] })).await;
    ada.publish("invoice.paid").await;
    let db = app.database.pool();
    let owner = app.database.client("postgres").await;
    let count = async |table: &str| {
        owner.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await.unwrap().get::<_, i64>(0)
    };
    until(20 * SECOND, async || count("deliveries").await == 1).await;
    for (days, kept) in [(29, [1, 1, 1]), (31, [0, 0, 1]), (32, [0, 0, 0])] {
        webhooks::erase(&db, app.now().plus(Duration::from_hours(days * 24))).await.unwrap();
        let left = [count("deliveries").await, count("attempts").await, count("messages").await];
        assert_eq!(left, kept, "after {days} days");
    }
}

/// More than one transaction of retention takes, of everything.
const OLD: &str = "
    WITH message AS (
        INSERT INTO messages (org_id, id, of_event, type, channels, body, created_at)
        SELECT org_id, gen_random_uuid(), false, 'a.b', '{}', '{}', now() - interval '40 days'
        FROM endpoints, generate_series(1, 12001) RETURNING org_id, id
    ), finished AS (
        INSERT INTO deliveries (org_id, id, endpoint_id, message_id, status, attempts, created_at, finished_at)
        SELECT e.org_id, m.id, e.id, m.id, 'delivered', 1, now() - interval '40 days', now() - interval '40 days'
        FROM message m JOIN endpoints e USING (org_id) RETURNING org_id, id
    ), attempt AS (
        INSERT INTO attempts (org_id, delivery_id, number, at, duration_ms, circuit)
        SELECT org_id, id, 1, now() - interval '40 days', 1, 'closed' FROM finished
    )
    INSERT INTO delivery_queue (org_id, id, endpoint_id, message_id, due_at, created_at)
    SELECT e.org_id, gen_random_uuid(), e.id, m.id, now() + interval '1 day', now() - interval '40 days'
    FROM message m JOIN endpoints e USING (org_id)";

#[tokio::test]
async fn one_turn_of_retention_erases_all_that_is_past_its_time() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    endpoint(&ada, json!({ "url": "http://127.0.0.1:1/", "event_types": ["noise.made"] })).await;
    let owner = app.database.client("postgres").await;
    owner.batch_execute(OLD).await.unwrap();
    webhooks::erase(&app.database.pool(), app.now()).await.unwrap();
    for table in ["delivery_queue", "attempts", "deliveries", "messages"] {
        let left = format!("SELECT count(*) FROM {table}");
        assert_eq!(owner.query_one(&left, &[]).await.unwrap().get::<_, i64>(0), 0, "{table}");
    }
}
