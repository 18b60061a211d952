//! However many requests somebody's receivers hold open, another organization's deliveries find room in the process.

use futures_util::future::join_all;
use serde_json::json;
use std::time::Duration;
use testing::Database;
use tests::{Person, Receiver, TestApp, until};

const SECOND: Duration = Duration::from_secs(1);
/// As long as a lease allows: what hangs does not end before the test does.
const DEADLINE: Duration = Duration::from_secs(28);
/// A delivery that finds a slot takes milliseconds, and one that finds none waits for the deadline.
const PROMPT: Duration = Duration::from_secs(5);

async fn app() -> TestApp {
    TestApp::with(Database::new().await, |options| options.delivery.deadline = DEADLINE).await
}

async fn endpoints(person: &Person, url: &str, count: usize) {
    for _ in 0..count / 10 {
        let body = json!({ "url": url, "event_types": ["invoice.paid"], "max_concurrency": 100 });
        for answer in join_all((0..10).map(|_| person.post("/v1/webhooks/endpoints", body.clone()))).await {
            assert_eq!(answer.status, 201, "{answer:?}");
        }
    }
}

/// As soon as so many hang, somebody's messages go out at once, one after the other.
async fn others_are_served_beside(app: &TestApp, hanging: &Receiver, held: usize) {
    let (eve, good) = (app.owner("eve").await, Receiver::new().await);
    eve.endpoint(good.url()).await;
    until(20 * SECOND, async || hanging.count() >= held).await;
    let before = good.count();
    for n in 1..=20 {
        eve.publish("invoice.paid").await;
        until(PROMPT, async || good.count() >= before + n).await;
    }
}

#[tokio::test]
async fn an_organization_whose_200_endpoints_hang_takes_nobodys_slots() {
    let (app, hanging) = (app().await, Receiver::hanging().await);
    let mallory = app.owner("mallory").await;
    endpoints(&mallory, hanging.url(), 200).await;
    for _ in 0..4 {
        mallory.publish("invoice.paid").await;
    }
    others_are_served_beside(&app, &hanging, 100).await;
    assert!(hanging.count() <= 128, "a quarter of the slots: {}", hanging.count());
}

#[tokio::test]
async fn five_organizations_whose_endpoints_hang_leave_room_for_the_next() {
    let (app, hanging) = (app().await, Receiver::hanging().await);
    for name in ["mallory", "mia", "max", "moe", "mo"] {
        let bad = app.owner(name).await;
        endpoints(&bad, hanging.url(), 10).await;
        for _ in 0..20 {
            bad.publish("invoice.paid").await;
        }
    }
    others_are_served_beside(&app, &hanging, 250).await;
    assert!(hanging.count() < 400, "{}", hanging.count());
}
