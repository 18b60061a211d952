//! Segment's wire format: what is taken, how, and how failures are told.

use crate::world::{Answer, World, track};
use ::http::{Request, StatusCode};
use api::Quotas;
use axum::body::Body;
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use std::io::Write;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zipped(key: &str, path: &str, body: Vec<u8>) -> Request<Body> {
    let mut request = World::call(key, path, body);
    request.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
    request
}

fn receipt(rejected: &Value) -> Value {
    json!({ "success": true, "rejected": rejected })
}

fn failed(answer: Answer, status: u16, code: &str) {
    let body = answer.expect(StatusCode::from_u16(status).unwrap());
    assert_eq!((&body["success"], &body["code"]), (&json!(false), &json!(code)), "{body}");
    assert!(body["message"].is_string() && body["request_id"].as_str().unwrap().starts_with("req_"), "{body}");
}

#[tokio::test]
async fn every_call_is_taken_by_its_long_and_its_short_name() {
    let world = World::new().await;
    let key = world.source(json!([])).await.key;
    let calls = [
        (["/v1/track", "/v1/t"], json!({ "event": "Bought", "userId": "u" })),
        (["/v1/identify", "/v1/i"], json!({ "userId": "u", "traits": { "plan": "pro" } })),
        (["/v1/page", "/v1/p"], json!({ "anonymousId": "a", "name": "Home" })),
        (["/v1/screen", "/v1/s"], json!({ "anonymousId": "a", "name": "Home" })),
        (["/v1/group", "/v1/g"], json!({ "userId": "u", "groupId": "g", "traits": { "size": 7 } })),
        (["/v1/alias", "/v1/a"], json!({ "userId": "u", "previousId": "a" })),
        (["/v1/batch", "/v1/b"], json!({ "batch": [track("Bought", "u")] })),
    ];
    for (paths, body) in &calls {
        for path in paths {
            assert_eq!(world.post(&key, path, body).await.expect(StatusCode::OK), receipt(&json!([])), "{path}");
        }
    }
    let rows = world.viewer("/v1/analytics/events").await;
    let rows = rows["data"].as_array().unwrap();
    assert_eq!(rows.len(), 14);
    let of = |kind: &str| rows.iter().find(|row| row["type"] == kind).unwrap();
    assert_eq!((&of("identify")["properties"], &of("identify")["name"]), (&json!({ "plan": "pro" }), &Value::Null));
    assert_eq!((&of("group")["subject_id"], &of("group")["properties"]), (&json!("g"), &json!({ "size": 7 })));
    assert_eq!((&of("alias")["subject_id"], &of("screen")["name"]), (&json!("a"), &json!("Home")));
    assert!(rows.iter().all(|row| row["message_id"].as_str().is_some_and(|id| !id.is_empty())), "each has an id");
}

#[tokio::test]
async fn a_key_in_the_body_serves_a_beacon_that_can_send_no_header() {
    let world = World::new().await;
    let key = world.source(json!([])).await.key;
    let mut form = World::call(&key, "/v1/track", track("Bought", "u").to_string());
    form.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    assert_eq!(world.raw(form).await.expect(StatusCode::OK), receipt(&json!([])), "as RudderStack's client sends it");
    let mut body = track("Bought", "u");
    body["writeKey"] = json!(key);
    let beacon = |body: &Value| {
        let request = Request::post("/v1/t").header("content-type", "text/plain;charset=UTF-8");
        request.header("origin", "https://shop.example").body(Body::from(body.to_string())).unwrap()
    };
    let answer = world.raw(beacon(&body)).await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.expect(StatusCode::OK), receipt(&json!([])));
    body["writeKey"] = json!("eap_pk_nobody");
    failed(world.raw(beacon(&body)).await, 401, "unknown_write_key");
    failed(world.raw(beacon(&track("Bought", "u"))).await, 401, "unknown_write_key");
}

#[tokio::test]
async fn an_unknown_key_is_refused_before_the_body_is_looked_at() {
    let world = World::new().await;
    let key = world.source(json!([])).await.key;
    let unknown = analytics_key_of_nobody(&key);
    for key in ["", "garbage", &unknown] {
        let refused = world.raw(World::call(key, "/v1/batch", "no JSON")).await;
        assert!(refused.header("www-authenticate").starts_with("Basic"));
        failed(refused, 401, "unknown_write_key");
    }
    failed(world.raw(World::call(&key, "/v1/batch", "no JSON")).await, 400, "malformed_body");
}

/// Well-formed, but of a source that is not there.
fn analytics_key_of_nobody(key: &str) -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let body = format!("eap_pk_{}_", "0".repeat(32));
    let mut crc = crc32fast::hash(body.as_bytes());
    let mut digits = vec![];
    for _ in 0..6 {
        digits.insert(0, char::from(DIGITS[crc as usize % 62]));
        crc /= 62;
    }
    let made = format!("{body}{}", digits.into_iter().collect::<String>());
    assert_eq!(made.len(), key.len());
    made
}

#[tokio::test]
async fn a_preflight_is_answered_on_these_routes_alone() {
    let world = World::new().await;
    let ask = |path: &str| {
        let request = Request::options(path).header("origin", "https://shop.example");
        world.raw(request.header("access-control-request-method", "POST").body(Body::empty()).unwrap())
    };
    for path in ["/v1/track", "/v1/b"] {
        let answer = ask(path).await;
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
        assert!(answer.header("access-control-allow-headers").contains("authorization"));
        answer.expect(StatusCode::NO_CONTENT);
    }
    assert_eq!(ask("/v1/analytics/query").await.header("access-control-allow-origin"), "");
    let refused = world.raw(World::call("", "/v1/track", "{}")).await;
    assert_eq!(refused.header("access-control-allow-origin"), "*", "a page can read why");
}

#[tokio::test]
async fn a_source_that_names_its_pages_takes_no_other() {
    let world = World::new().await;
    let key = world.source(json!(["https://shop.example"])).await.key;
    let from = |origin: &'static str| {
        let mut request = World::call(&key, "/v1/track", track("Bought", "u").to_string());
        request.headers_mut().insert("origin", origin.parse().unwrap());
        world.raw(request)
    };
    from("https://shop.example").await.expect(StatusCode::OK);
    for other in ["https://evil.example", "https://shop.example.evil.example", "http://shop.example", "null"] {
        failed(from(other).await, 403, "origin_not_allowed");
    }
    world.post(&key, "/v1/track", &track("Bought", "u")).await.expect(StatusCode::OK);
    assert_eq!(world.number("SELECT count(*) FROM analytics_events").await, 2);
}

#[tokio::test]
async fn of_2500_events_only_the_bad_ones_are_rejected_each_with_its_index() {
    let world = World::new().await;
    let key = world.source(json!([])).await.key;
    let mut events: Vec<_> = (0..2_500).map(|n| track("Bought", &format!("u{}", n % 100))).collect();
    let bad = [(0, json!(7)), (1_249, json!({ "type": "track", "userId": "u" })), (2_499, track("x", "\u{0}"))];
    let large = json!({ "type": "track", "event": "e", "userId": "u", "properties": { "a": "x".repeat(32 * 1024) } });
    for (index, event) in bad.iter().chain([&(1_700, large)]) {
        events[*index] = event.clone();
    }
    let body = json!({ "batch": events }).to_string();
    assert!(body.len() < 500 * 1024);
    let answer = world.raw(zipped(&key, "/v1/batch", gzip(body.as_bytes()))).await.expect(StatusCode::OK);
    let told: Vec<_> = answer["rejected"].as_array().unwrap().iter().map(|one| (&one["index"], &one["code"])).collect();
    let [malformed, missing, too_large] = ["malformed", "missing", "too_large"].map(|code| json!(code));
    let indexes = [0, 1_249, 1_700, 2_499].map(|index| json!(index));
    assert_eq!(
        told,
        [(&indexes[0], &malformed), (&indexes[1], &missing), (&indexes[2], &too_large), (&indexes[3], &malformed)]
    );
    assert_eq!(world.number("SELECT count(*) FROM analytics_events").await, 2_496);
    events.push(track("one too many", "u"));
    let body = gzip(json!({ "batch": events }).to_string().as_bytes());
    failed(world.raw(zipped(&key, "/v1/batch", body)).await, 400, "malformed_body");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_however_small_it_was_packed() {
    let world = World::new().await;
    let key = world.source(json!([])).await.key;
    let sized = |bytes: usize| {
        let body = json!({ "userId": "u", "event": "e", "x": "" }).to_string();
        body.replace(r#""x":"""#, &format!(r#""x":"{}""#, "x".repeat(bytes - body.len())))
    };
    world.raw(World::call(&key, "/v1/track", sized(32 * 1024))).await.expect(StatusCode::OK);
    failed(world.raw(World::call(&key, "/v1/track", sized(32 * 1024 + 1))).await, 400, "body_too_large");
    let batch = format!("{{\"batch\":[],\"x\":\"{}\"}}", "x".repeat(500 * 1024));
    failed(world.raw(World::call(&key, "/v1/batch", batch)).await, 400, "body_too_large");
    let bomb = gzip(&vec![b' '; 100 << 20]);
    assert!(bomb.len() < 500 * 1024);
    failed(world.raw(zipped(&key, "/v1/batch", bomb)).await, 400, "body_too_large");
    let small = gzip(sized(32 * 1024 + 1).as_bytes());
    failed(world.raw(zipped(&key, "/v1/track", small)).await, 400, "body_too_large");
}

#[tokio::test]
async fn what_is_no_call_is_refused_in_segments_own_style() {
    let world = World::new().await;
    let key = world.source(json!([])).await.key;
    for body in ["", "{", "[]", "7", r#"{"batch": 7}"#, "{}", "\u{0}"] {
        failed(world.raw(World::call(&key, "/v1/batch", body)).await, 400, "malformed_body");
    }
    failed(world.raw(zipped(&key, "/v1/batch", b"not gzip".to_vec())).await, 400, "malformed_body");
    let mut brotli = World::call(&key, "/v1/batch", "{}");
    brotli.headers_mut().insert("content-encoding", "br".parse().unwrap());
    failed(world.raw(brotli).await, 415, "unsupported_media_type");
    let one = world.post(&key, "/v1/track", &json!({ "userId": "u" })).await.expect(StatusCode::OK);
    assert_eq!(one, receipt(&json!([{ "index": 0, "code": "missing", "detail": "track needs event" }])));
}

#[tokio::test]
async fn who_sends_too_often_is_told_when_to_come_again_in_a_way_that_a_page_can_read() {
    let world = World::new().await;
    let key = world.source(json!([])).await.key;
    let quotas = Quotas { per_address: Some(1), per_person: None };
    let limited = World::limited(&world.database, world.clock.clone(), quotas);
    limited.post(&key, "/v1/track", &track("Bought", "u")).await.expect(StatusCode::OK);
    let refused = limited.post(&key, "/v1/track", &track("Bought", "u")).await;
    assert!(refused.header("retry-after").parse::<u32>().unwrap() > 0);
    assert_eq!(refused.header("access-control-allow-origin"), "*");
    failed(refused, 429, "limited");
}

#[tokio::test]
async fn a_clock_that_is_off_is_corrected_by_when_the_batch_was_sent() {
    let world = World::new().await;
    let key = world.source(json!([])).await.key;
    let mut event = track("Bought", "u");
    event["timestamp"] = json!("1999-01-01T00:00:00Z");
    let body = json!({ "batch": [event], "sentAt": "1999-01-01T00:01:00Z", "context": { "library": "test" } });
    world.post(&key, "/v1/batch", &body).await.expect(StatusCode::OK);
    let row = world.viewer("/v1/analytics/events").await["data"][0].clone();
    let minute_ago = world.clock.now().minus(std::time::Duration::from_mins(1));
    assert_eq!((&row["timestamp"], &row["context"]), (&json!(minute_ago), &json!({ "library": "test" })));
    assert_eq!(row["received_at"], json!(world.clock.now()));
}
