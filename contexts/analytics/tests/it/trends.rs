//! Trends: what the roll-ups say is what counting all rows says.

use crate::world::World;
use ::http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

/// Numbers that look random and are the same at each run.
fn scattered(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

#[tokio::test]
async fn trends_by_hour_and_by_day_equal_a_count_of_all_rows() {
    let world = World::new().await;
    let key = world.source(json!([])).await.key;
    let now = world.clock.now();
    let mut pick = scattered(7);
    let mut events = vec![];
    for _ in 0..3_000 {
        let name = ["Bought", "Seen", "Left"][usize::try_from(pick(3)).unwrap()];
        let at = now.minus(Duration::from_millis(pick(5 * 86_400_000)));
        let who = if pick(4) == 0 { "anonymousId" } else { "userId" };
        events.push(json!({ "type": "track", "event": name, who: format!("u{}", pick(50)), "timestamp": at }));
    }
    for part in events.chunks(500) {
        world.batch(&key, part.to_vec()).await;
    }
    let (since, until) = (now.minus(Duration::from_hours(5 * 24)), now.plus(Duration::from_hours(1)));
    let postgres = world.database.client("postgres").await;
    for (interval, unit, counted) in [
        ("hour", "events", "count(*)"),
        ("day", "events", "count(*)"),
        ("hour", "uniques", "count(DISTINCT coalesce('u' || user_id, 'a' || anonymous_id))"),
        ("day", "uniques", "count(DISTINCT coalesce('u' || user_id, 'a' || anonymous_id))"),
    ] {
        let brute = format!(
            "SELECT {counted} FROM generate_series(date_trunc('{interval}', $1::timestamptz, 'UTC'), $2, '1 {interval}') AS at
             LEFT JOIN (SELECT e.* FROM analytics_events e JOIN analytics_names n ON n.org_id = e.org_id AND n.id = e.name_id AND n.name = 'Bought') AS e
             ON e.happened_at >= at AND e.happened_at < at + interval '1 {interval}' GROUP BY at ORDER BY at"
        );
        let brute = brute.replace("count(*)", "count(e.id)");
        let last = until.minus(Duration::from_millis(1));
        let rows = postgres.query(&brute, &[&since, &last]).await.unwrap();
        let brute: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        let got = world.trend("Bought", &since.to_string(), &until.to_string(), interval, unit).await;
        assert_eq!(got, brute, "{interval} {unit}");
        assert!(got.iter().sum::<i64>() > 200, "{interval} {unit}");
    }
}

#[tokio::test]
async fn another_organizations_events_are_in_no_answer() {
    let world = World::new().await;
    let key = world.source(json!([])).await.key;
    world.batch(&key, vec![crate::world::track("Bought", "u")]).await;
    let listed = world.send("stranger", "GET", "/v1/analytics/events?name=Bought", Value::Null).await;
    assert_eq!(listed.expect(StatusCode::OK)["data"], json!([]));
    let listed = world.send("stranger", "GET", "/v1/analytics/events?user=u", Value::Null).await;
    assert_eq!(listed.expect(StatusCode::OK)["data"], json!([]));
    let now = world.clock.now();
    let query = json!({ "kind": "trend", "event": "Bought", "since": now.minus(Duration::from_hours(1)), "until": now,
        "interval": "day", "unit": "uniques" });
    let answer = world.send("stranger", "POST", "/v1/analytics/query", query).await.expect(StatusCode::OK);
    assert!(answer["data"].as_array().unwrap().iter().all(|point| point["value"] == 0), "{answer}");
}

#[tokio::test]
async fn a_range_without_an_end_is_refused() {
    let world = World::new().await;
    let ask = |since: &str, until: &str, interval: &str| {
        let query = json!({ "kind": "trend", "event": "e", "since": since, "until": until, "interval": interval, "unit": "events" });
        world.send("viewer", "POST", "/v1/analytics/query", query)
    };
    for (since, until, interval) in [
        ("2025-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "hour"),
        ("2025-01-01T00:00:00Z", "2025-03-01T00:00:00Z", "hour"),
        ("1999-12-31T00:00:00Z", "2000-01-02T00:00:00Z", "day"),
        ("-004999-01-01T00:00:00Z", "-004999-01-02T00:00:00Z", "day"),
    ] {
        ask(since, until, interval).await.problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }
}
