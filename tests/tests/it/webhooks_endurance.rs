//! Webhooks over time and in numbers: hours of failure, many endpoints, an open snapshot, retention.

use axum::response::IntoResponse;
use db::Work;
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
        let tx = db.system(Work::Retention).await.unwrap();
        webhooks::erase(&tx, app.now().plus(Duration::from_hours(days * 24))).await.unwrap();
        tx.commit().await.unwrap();
        let left = [count("deliveries").await, count("attempts").await, count("messages").await];
        assert_eq!(left, kept, "after {days} days");
    }
}
