//! The latest events.

use crate::world::{World, track};
use serde_json::{Value, json};
use std::time::Duration;

fn names(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_latest_events_come_first_by_name_by_user_and_page_by_page() {
    let world = World::new().await;
    let key = world.source(json!([])).await.key;
    for n in 0..6 {
        let name = if n % 2 == 0 { "even" } else { "odd" };
        world.batch(&key, vec![track(name, &format!("u{}", n % 3))]).await;
        world.clock.advance(Duration::from_hours(9));
    }
    let all = world.viewer("/v1/analytics/events").await;
    assert_eq!(names(&all), ["odd", "even", "odd", "even", "odd", "even"]);
    assert_eq!(names(&world.viewer("/v1/analytics/events?name=even").await), ["even"; 3]);
    assert_eq!(names(&world.viewer("/v1/analytics/events?user=u1").await), ["even", "odd"]);
    assert_eq!(names(&world.viewer("/v1/analytics/events?user=u1&name=odd").await), ["odd"]);
    assert_eq!(names(&world.viewer("/v1/analytics/events?name=nothing").await), [""; 0]);
    for filter in ["", "name=even&"] {
        let (mut got, mut cursor) = (vec![], String::new());
        loop {
            let page = world.viewer(&format!("/v1/analytics/events?{filter}limit=2{cursor}")).await;
            got.extend(page["data"].as_array().unwrap().iter().map(|row| row["id"].clone()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let whole = world.viewer(&format!("/v1/analytics/events?{filter}")).await;
        let whole: Vec<_> = whole["data"].as_array().unwrap().iter().map(|row| row["id"].clone()).collect();
        assert_eq!(got, whole, "{filter}");
    }
}
