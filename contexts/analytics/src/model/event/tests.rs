//! What is taken, and what is refused with which word.

use super::*;
use serde_json::json;

fn shared() -> Shared {
    let context = Map::from_iter([("library".to_owned(), json!("a")), ("ip".to_owned(), json!("b"))]);
    Shared { received_at: Timestamp::from_millis(1_737_115_200_000), sent_at: None, context }
}

fn read(value: &Value) -> Result<Event, Fault> {
    parse(&value.to_string(), None, &shared())
}

fn refused(value: &Value) -> &'static str {
    read(value).unwrap_err().code
}

#[test]
fn an_event_needs_somebody_and_each_kind_what_it_is_about() {
    let good = [
        json!({"type": "track", "event": "Bought", "userId": "u"}),
        json!({"type": "track", "event": "Bought", "anonymousId": "a"}),
        json!({"type": "identify", "userId": 7}),
        json!({"type": "page", "anonymousId": "a"}),
        json!({"type": "screen", "anonymousId": "a", "name": "Home"}),
        json!({"type": "group", "userId": "u", "groupId": "g"}),
        json!({"type": "alias", "userId": "u", "previousId": "a"}),
    ];
    for event in &good {
        assert!(read(event).is_ok(), "{event} {:?}", read(event));
    }
    let missing = [
        json!({"type": "track", "event": "Bought"}),
        json!({"type": "track", "event": "Bought", "userId": "", "anonymousId": null}),
        json!({"type": "track", "userId": "u"}),
        json!({"type": "group", "userId": "u"}),
        json!({"type": "alias", "userId": "u"}),
    ];
    for event in &missing {
        assert_eq!(refused(event), "missing", "{event}");
    }
}

#[test]
fn what_cannot_be_stored_is_refused_with_a_word_for_it() {
    let track = |member: &str, value: Value| {
        let mut event = json!({"type": "track", "event": "e", "userId": "u"});
        event[member] = value;
        event
    };
    assert_eq!(refused(&track("type", json!("shout"))), "unknown_type");
    assert_eq!(refused(&track("event", json!("e".repeat(256)))), "too_long");
    assert_eq!(refused(&track("userId", json!({"a": 1}))), "malformed");
    assert_eq!(refused(&track("properties", json!([1]))), "malformed");
    assert_eq!(refused(&track("properties", json!({"a": ["b\u{0}"]}))), "malformed");
    assert_eq!(refused(&track("userId", json!("\u{0}"))), "malformed");
    assert_eq!(refused(&track("timestamp", json!("soon"))), "timestamp");
    assert_eq!(refused(&track("properties", json!({"a": "x".repeat(MAX_BYTES)}))), "too_large");
    assert!(read(&track("properties", json!({"a": "\\u0000"}))).is_ok(), "six characters that only look like it");
    for text in [
        "[]",
        "7",
        "null",
        "{\"a\":\"\\ud800\"",
        r#"{"type":"track","event":"e","userId":"u","properties":{"a":1e999}}"#,
    ] {
        assert_eq!(parse(text, None, &shared()).unwrap_err().code, "malformed", "{text}");
    }
    let deep = format!(r#"{{"properties":{{"a":{}}}}}"#, "[".repeat(10_000));
    assert_eq!(parse(&deep, None, &shared()).unwrap_err().code, "malformed");
    let half_a_pair = r#"{"type":"track","event":"e","userId":"u","properties":{"a":"\ud800"}}"#;
    assert_eq!(parse(half_a_pair, None, &shared()).unwrap_err().code, "malformed");
}

#[test]
fn the_context_of_the_batch_fills_what_the_event_leaves_open() {
    let event = json!({"type": "track", "event": "e", "userId": "u", "context": {"ip": "mine"}});
    let context: Value = serde_json::from_str(read(&event).unwrap().context.get()).unwrap();
    assert_eq!(context, json!({"library": "a", "ip": "mine"}));
}

#[test]
fn a_user_and_an_anonymous_visitor_of_one_id_are_two_people() {
    let [user, anonymous] =
        ["userId", "anonymousId"].map(|who| read(&json!({"type": "page", who: "x"})).unwrap().person());
    assert_ne!(user, anonymous);
}
