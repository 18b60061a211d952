//! What is acknowledged is durable; what cannot be written is said so, and nobody else pays for it.

use crate::world::{World, message, track};
use ::http::StatusCode;
use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use serde_json::json;

const STORED: &str = "SELECT count(*) FROM analytics_events";

#[tokio::test]
async fn many_requests_share_a_transaction() {
    let world = World::new().await;
    let key = world.source(json!([])).await.key;
    world.batch(&key, vec![track("Bought", "u")]).await;
    let event = track("Bought", "u");
    join_all((0..200).map(|_| world.post(&key, "/v1/track", &event))).await;
    assert_eq!(world.number(STORED).await, 201);
    let transactions = world.number("SELECT count(DISTINCT xmin::text) FROM analytics_events").await;
    assert!(transactions < 40, "{transactions} transactions for 201 requests");
}

#[tokio::test]
async fn when_the_database_refuses_everybody_waits_for_nothing_and_is_told_to_come_again() {
    let world = World::new().await;
    let key = world.source(json!([])).await.key;
    world.batch(&key, vec![message("before")]).await;
    let owner = world.database.client("admin_user").await;
    owner.batch_execute("ALTER TABLE analytics_hourly RENAME TO away").await.unwrap();
    let event = track("Bought", "u");
    for answer in join_all((0..20).map(|_| world.post(&key, "/v1/track", &event))).await {
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(answer.expect(StatusCode::SERVICE_UNAVAILABLE)["success"], false);
    }
    owner.batch_execute("ALTER TABLE away RENAME TO analytics_hourly").await.unwrap();
    assert_eq!(world.number(STORED).await, 1, "all of a group, or nothing");
    world.batch(&key, vec![message("before"), message("after")]).await;
    assert_eq!(world.number(STORED).await, 2);
}

#[tokio::test]
async fn events_that_postgresql_refuses_fail_their_own_request_alone() {
    let world = World::new().await;
    let key = world.source(json!([])).await.key;
    let owner = world.database.client("admin_user").await;
    let refuse = "ALTER TABLE analytics_events ADD CONSTRAINT poison CHECK (user_id <> 'poison')";
    owner.batch_execute(refuse).await.unwrap();
    let (good, bad) = (track("Bought", "u"), track("Bought", "poison"));
    let sent = (0..21).map(|n| world.post(&key, "/v1/track", if n == 10 { &bad } else { &good }));
    let statuses: Vec<_> = join_all(sent).await.iter().map(|answer| answer.status().as_u16()).collect();
    assert_eq!((statuses[10], statuses.iter().filter(|status| **status == 200).count()), (503, 20), "{statuses:?}");
    assert_eq!(world.number(STORED).await, 20);
}

#[tokio::test]
async fn when_too_much_waits_the_next_is_told_to_come_later() {
    let world = World::new().await;
    let key = world.source(json!([])).await.key;
    world.batch(&key, vec![track("Bought", "u")]).await;
    let owner = world.database.client("admin_user").await;
    // Nothing can be written while this is held.
    owner.batch_execute("BEGIN; LOCK TABLE analytics_messages").await.unwrap();
    // Stored with each event: 3 MB a request, of which 10 fit.
    let context = json!({ "a": "x".repeat(30_000) });
    let body = json!({ "batch": vec![track("Bought", "u"); 100], "context": context });
    let mut sent: FuturesUnordered<_> = (0..14).map(|_| world.post(&key, "/v1/batch", &body)).collect();
    let mut answers = vec![];
    // Whoever is answered now was refused.
    for _ in 0..3 {
        let refused = sent.next().await.unwrap();
        assert_eq!((refused.status(), refused.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "1"));
        answers.push(refused);
    }
    owner.batch_execute("COMMIT").await.unwrap();
    answers.extend(sent.collect::<Vec<_>>().await);
    let count = |status: StatusCode| answers.iter().filter(|answer| answer.status() == status).count();
    let taken = count(StatusCode::OK);
    // On a slow machine the wait for the lock may end first.
    let not_taken = count(StatusCode::TOO_MANY_REQUESTS) + count(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(taken + not_taken, 14);
    let stored = i64::try_from(taken * 100 + 1).unwrap();
    assert_eq!(world.number(STORED).await, stored, "what was acknowledged, and nothing else");
}

#[tokio::test]
async fn a_client_that_goes_away_takes_no_other_events_with_it() {
    let world = World::new().await;
    let key = world.source(json!([])).await.key;
    let event = track("Bought", "u");
    let gone = tokio::time::timeout(std::time::Duration::from_millis(2), world.post(&key, "/v1/track", &event));
    let stays = world.post(&key, "/v1/track", &event);
    let (_, stays) = futures_util::future::join(gone, stays).await;
    stays.expect(StatusCode::OK);
}
