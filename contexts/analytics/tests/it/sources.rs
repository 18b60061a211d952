//! Sources and their write keys.

use crate::world::{World, track};
use http::StatusCode;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_source_lives_from_create_to_delete() {
    let world = World::new().await;
    let body = json!({ "name": "Website", "allowed_origins": ["https://example.com"] });
    let made = world.admin("POST", "/v1/analytics/sources", body).await;
    let path = made.header("location").to_owned();
    assert_eq!(made.header("etag"), "\"1\"");
    let made = made.expect(StatusCode::CREATED);
    assert!(made["id"].as_str().unwrap().starts_with("src_"), "{made}");
    assert!(made["write_key"].as_str().unwrap().starts_with("eap_pk_"), "{made}");
    let listed = world.viewer("/v1/analytics/sources").await;
    assert_eq!(listed["data"], json!([made]));
    let changed = world.admin("PATCH", &path, json!({ "enabled": false })).await.expect(StatusCode::OK);
    assert_eq!((&changed["enabled"], &changed["name"]), (&json!(false), &json!("Website")));
    assert_eq!(changed["allowed_origins"], json!(["https://example.com"]), "what is not named stays");
    world.admin("DELETE", &path, Value::Null).await.expect(StatusCode::NO_CONTENT);
    world.admin("DELETE", &path, Value::Null).await.problem(StatusCode::NOT_FOUND, "not_found");
    let told = world.number("SELECT count(*) FROM outbox WHERE kind LIKE 'analytics_source.%'").await;
    assert_eq!(told, 3);
}

#[tokio::test]
async fn sources_of_another_organization_are_not_there_and_a_viewer_makes_none() {
    let world = World::new().await;
    let source = world.source(json!([])).await;
    let body = json!({ "name": "mine now" });
    for method in ["PATCH", "DELETE"] {
        world.send("stranger", method, &source.path, body.clone()).await.problem(StatusCode::NOT_FOUND, "not_found");
    }
    let listed = world.send("stranger", "GET", "/v1/analytics/sources", Value::Null).await.expect(StatusCode::OK);
    assert_eq!(listed["data"], json!([]));
    for token in ["viewer", "member"] {
        let refused = world.send(token, "POST", "/v1/analytics/sources", body.clone()).await;
        refused.problem(StatusCode::FORBIDDEN, "forbidden");
    }
}

#[tokio::test]
async fn an_origin_that_no_browser_sends_is_refused() {
    let world = World::new().await;
    let body = json!({ "name": "", "allowed_origins": ["https://example.com/", "*"] });
    let refused = world.admin("POST", "/v1/analytics/sources", body).await;
    let errors = refused.problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid")["errors"].clone();
    let pointers: Vec<_> = errors.as_array().unwrap().iter().map(|error| error["pointer"].clone()).collect();
    assert_eq!(pointers, ["/name", "/allowed_origins/0", "/allowed_origins/1"]);
}

#[tokio::test]
async fn a_key_that_was_switched_off_or_deleted_is_refused_within_a_second() {
    let world = World::new().await;
    for end in [("PATCH", json!({ "enabled": false })), ("DELETE", Value::Null)] {
        let source = world.source(json!([])).await;
        world.post(&source.key, "/v1/track", &track("a", "u")).await.expect(StatusCode::OK);
        world.admin(end.0, &source.path, end.1).await;
        let start = Instant::now();
        while world.post(&source.key, "/v1/track", &track("a", "u")).await.status() != StatusCode::UNAUTHORIZED {
            assert!(start.elapsed() < Duration::from_secs(1), "still taken after a second");
        }
    }
}

#[tokio::test]
async fn a_change_to_a_version_that_is_not_current_is_refused() {
    let world = World::new().await;
    let source = world.source(json!([])).await;
    world.admin("PATCH", &source.path, json!({ "name": "a" })).await.expect(StatusCode::OK);
    let request =
        http::Request::patch(&source.path).header("authorization", "Bearer admin").header("if-match", "\"1\"");
    let request = request.header("content-type", "application/json").body(r#"{"name":"b"}"#.into()).unwrap();
    world.raw(request).await.problem(StatusCode::PRECONDITION_FAILED, "precondition_failed");
}
