//! A message is one message, however often and wherever it comes, for two days.

use crate::world::{World, message, track};
use ::http::StatusCode;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;
use types::{Clock, Timestamp};

const STORED: &str = "SELECT count(*) FROM analytics_events";
const COUNTED: &str = "SELECT sum(events)::int8 FROM analytics_hourly";

#[tokio::test]
async fn a_message_that_comes_again_is_answered_as_taken_and_stored_once() {
    let world = World::new().await;
    let [key, other] = [world.source(json!([])).await.key, world.source(json!([])).await.key];
    world.batch(&key, vec![message("1"), message("2"), message("1")]).await;
    world.batch(&key, vec![message("2"), message("3")]).await;
    assert_eq!((world.number(STORED).await, world.number(COUNTED).await), (3, 3));
    world.batch(&other, vec![message("1")]).await;
    assert_eq!(world.number(STORED).await, 4, "another source's message is another one");
}

#[tokio::test]
async fn two_processes_that_get_the_same_messages_at_once_store_each_once() {
    let world = World::new().await;
    let beside = World::beside(&world.database, world.clock.clone());
    let key = world.source(json!([])).await.key;
    for round in 0..5 {
        let mut messages: Vec<Value> = (0..200).map(|n| message(&format!("{round} {n}"))).collect();
        let forward = messages.clone();
        messages.reverse();
        let sent = (0..6).map(|n| {
            let (world, messages) = if n % 2 == 0 { (&world, &forward) } else { (&beside, &messages) };
            world.batch(&key, messages.clone())
        });
        join_all(sent).await;
    }
    assert_eq!((world.number(STORED).await, world.number(COUNTED).await), (1_000, 1_000));
    assert_eq!(world.number("SELECT count(DISTINCT message_id) FROM analytics_events").await, 1_000);
}

/// A moment before the next midnight, in UTC.
fn before_midnight() -> Clock {
    let day = 86_400_000;
    let now = Clock::system().now().as_millis();
    Clock::stopped_at(Timestamp::from_millis(now - now % day + day - 5))
}

#[tokio::test]
async fn events_around_midnight_lie_in_their_days_and_a_repetition_across_it_is_one() {
    let world = World::at(before_midnight()).await;
    let key = world.source(json!([])).await.key;
    world.batch(&key, vec![message("late"), track("Bought", "a")]).await;
    world.clock.advance(Duration::from_millis(10));
    let mut yesterday = track("Bought", "b");
    yesterday["timestamp"] = json!(world.clock.now().minus(Duration::from_millis(6)));
    world.batch(&key, vec![message("late"), track("Bought", "a"), yesterday]).await;
    assert_eq!(world.number(STORED).await, 4);
    let partitions = "SELECT count(DISTINCT tableoid) FROM analytics_events";
    assert_eq!(world.number(partitions).await, 2);
    let now = world.clock.now();
    let [since, until] =
        [now.minus(Duration::from_hours(24)), now.plus(Duration::from_hours(1))].map(|at| at.to_string());
    assert_eq!(world.trend("Bought", &since, &until, "day", "events").await, [3, 1], "by when it happened");
    assert_eq!(world.trend("Bought", &since, &until, "day", "uniques").await, [3, 1]);
    let listed = world.viewer("/v1/analytics/events?limit=3").await;
    let next = listed["next_cursor"].as_str().unwrap();
    let rest = world.viewer(&format!("/v1/analytics/events?limit=3&cursor={next}")).await;
    assert_eq!((listed["data"].as_array().unwrap().len(), rest["data"].as_array().unwrap().len()), (3, 1));
}

#[tokio::test]
async fn after_two_days_a_message_is_a_new_one() {
    let world = World::new().await;
    let key = world.source(json!([])).await.key;
    world.batch(&key, vec![message("1")]).await;
    world.clock.advance(Duration::from_hours(47));
    world.batch(&key, vec![message("1")]).await;
    assert_eq!(world.number(STORED).await, 1);
    world.clock.advance(Duration::from_hours(2));
    world.batch(&key, vec![message("1")]).await;
    assert_eq!(world.number(STORED).await, 2);
}

#[tokio::test]
async fn what_is_older_than_two_days_is_forgotten_and_nothing_else() {
    let world = World::new().await;
    let key = world.source(json!([])).await.key;
    for _ in 0..6 {
        world.batch(&key, (0..2_000).map(|_| track("Bought", "u")).collect()).await;
    }
    world.clock.advance(Duration::from_hours(49));
    world.batch(&key, vec![message("new")]).await;
    analytics::forget_messages(&world.app).await.unwrap();
    assert_eq!(world.number("SELECT count(*) FROM analytics_messages").await, 1);
    world.batch(&key, vec![message("new")]).await;
    assert_eq!(world.number(STORED).await, 12_001);
}

#[tokio::test]
async fn an_event_without_an_id_gets_one_and_is_never_taken_for_another() {
    let world = World::new().await;
    let key = world.source(json!([])).await.key;
    let same = vec![track("Bought", "u"), track("Bought", "u")];
    world.batch(&key, same.clone()).await;
    world.batch(&key, same).await;
    assert_eq!(world.number("SELECT count(DISTINCT message_id) FROM analytics_events").await, 4);
    let refused =
        world.post(&key, "/v1/track", &json!({ "event": "e", "userId": "u", "messageId": "x".repeat(300) })).await;
    assert_eq!(refused.expect(StatusCode::OK)["rejected"][0]["code"], "too_long");
}
