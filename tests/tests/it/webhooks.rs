//! Webhooks as who sends and who receives them sees them.

use reqwest::Method;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use std::time::Duration;
use tests::{Answer, Person, Received, Receiver, TestApp, send, until};
use types::Role;

const ENDPOINTS: &str = "/v1/webhooks/endpoints";
const SECOND: Duration = Duration::from_secs(1);

async fn endpoint(person: &Person, body: Value) -> Value {
    let answer = person.post(ENDPOINTS, body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body
}

async fn message(person: &Person, of: &str, channels: Value) -> String {
    let body = json!({ "type": of, "data": { "n": 1 }, "channels": channels });
    let answer = person.post("/v1/webhooks/messages", body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.body["id"].as_str().unwrap().to_owned()
}

fn verifies(secret: &Value, told: &Received) -> bool {
    let webhook = Webhook::new(secret.as_str().unwrap()).unwrap();
    webhook.verify(told.text.as_bytes(), &told.headers).is_ok()
}

/// The deliveries that the log shows, newest first.
async fn deliveries(person: &Person, query: &str) -> Vec<Value> {
    let answer = person.get(&format!("/v1/webhooks/deliveries?{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_event_reaches_its_endpoint_signed_and_says_nothing_of_the_inside() {
    let (app, receiver) = (TestApp::new().await, Receiver::new().await);
    let ada = app.owner("ada").await;
    ada.note_type().await;
    let headers = json!({ "Authorization": "Bearer of-ada" });
    let made =
        endpoint(&ada, json!({ "url": receiver.url(), "event_types": ["resource.*"], "headers": headers })).await;
    let note = ada.note("first", 1).await;
    let told = receiver.until(1).await.remove(0);
    assert!(verifies(&made["secret"], &told), "{told:?}");
    let members: Vec<_> = told.body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["actor", "data", "id", "organization_id", "timestamp", "type"]);
    assert_eq!(told.body["id"], told.id());
    assert_eq!(told.body["organization_id"], ada.org);
    assert_eq!(told.body["actor"], json!({ "kind": "user", "id": ada.id }));
    assert_eq!((told.of(), &told.body["data"]["id"]), ("resource.created", &json!(note)));
    assert_eq!(told.headers["authorization"], "Bearer of-ada");
    assert_eq!(told.headers["content-type"], "application/json");
    let id = made["id"].as_str().unwrap();
    until(10 * SECOND, async || deliveries(&ada, &format!("endpoint={id}&status=delivered")).await.len() == 1).await;
    let delivery = deliveries(&ada, "status=delivered").await.remove(0);
    let details = ada.get(&format!("/v1/webhooks/deliveries/{}", delivery["id"].as_str().unwrap())).await.body;
    let attempt = &details["attempts"][0];
    assert_eq!(
        (&attempt["status_code"], &attempt["error"], &attempt["circuit"]),
        (&json!(200), &Value::Null, &json!("closed"))
    );
    assert_eq!(attempt["request_headers"]["webhook-id"], told.id());
    assert_eq!(attempt["request_headers"]["authorization"], "(hidden)");
    assert_eq!(attempt["request_headers"]["webhook-signature"], "(hidden)");
}

#[tokio::test]
async fn what_changed_is_told_without_what_it_was_before() {
    let (app, receiver) = (TestApp::new().await, Receiver::new().await);
    let ada = app.owner("ada").await;
    endpoint(&ada, json!({ "url": receiver.url(), "event_types": ["organization.updated"] })).await;
    assert_eq!(ada.patch("/v1/organization", json!({ "name": "Renamed" })).await.status, 200);
    let told = receiver.until(1).await.remove(0);
    assert!(!told.text.contains("ada's") && !told.text.contains("before"), "{}", told.text);
}

#[tokio::test]
async fn an_endpoint_gets_the_types_and_channels_that_it_chose() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    let [all, some, one, channel] =
        [Receiver::new().await, Receiver::new().await, Receiver::new().await, Receiver::new().await];
    endpoint(&ada, json!({ "url": all.url(), "event_types": ["*"] })).await;
    endpoint(&ada, json!({ "url": some.url(), "event_types": ["invoice.*"] })).await;
    endpoint(&ada, json!({ "url": one.url(), "event_types": ["invoice.paid"] })).await;
    endpoint(&ada, json!({ "url": channel.url(), "channels": ["customer-7", "customer-8"] })).await;
    let [paid, sent, invoices, other] = [
        message(&ada, "invoice.paid", json!([])).await,
        message(&ada, "invoice.sent", json!(["customer-9"])).await,
        message(&ada, "invoices.paid", json!(["customer-7"])).await,
        message(&ada, "customer.moved", json!(["customer-1", "customer-8"])).await,
    ];
    // Endpoints made later tell the first ones of themselves.
    let own = |receiver: &Receiver| receiver.seen().iter().filter(|one| one.id().starts_with("msg_")).count();
    until(20 * SECOND, async || [own(&all), own(&some), own(&one), own(&channel)] == [4, 2, 1, 2]).await;
    let ids = |list: &[&String]| list.iter().map(|id| (*id).clone()).collect();
    assert_eq!(some.ids(), ids(&[&paid, &sent]));
    assert_eq!(one.ids(), ids(&[&paid]));
    assert_eq!(channel.ids(), ids(&[&invoices, &other]), "events have no channels");
    assert!(all.seen().iter().all(|one| one.of() != "message.created"), "what only starts work is told to nobody");
}

#[tokio::test]
async fn during_a_rotation_either_secret_verifies_and_afterwards_the_new_one_alone() {
    let (app, receiver) = (TestApp::new().await, Receiver::new().await);
    let ada = app.owner("ada").await;
    let old = endpoint(&ada, json!({ "url": receiver.url(), "event_types": ["invoice.paid"] })).await;
    let id = old["id"].as_str().unwrap();
    let rotated = ada.post(&format!("{ENDPOINTS}/{id}/rotate"), json!({ "overlap_seconds": 120 })).await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    let new = rotated.body;
    assert_ne!(new["secret"], old["secret"]);
    message(&ada, "invoice.paid", json!([])).await;
    let during = receiver.until(1).await.remove(0);
    assert!(verifies(&old["secret"], &during) && verifies(&new["secret"], &during), "{during:?}");
    app.clock.advance(Duration::from_secs(121));
    message(&ada, "invoice.paid", json!([])).await;
    let after = receiver.until(2).await.remove(1);
    assert!(verifies(&new["secret"], &after) && !verifies(&old["secret"], &after), "{after:?}");
}

#[tokio::test]
async fn a_secret_is_shown_when_it_is_made_and_at_no_other_time() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    let headers = json!({ "authorization": "Bearer hidden-value" });
    let body = json!({ "url": "https://hooks.example.com/", "headers": headers });
    let made = endpoint(&ada, body).await;
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    assert!(secret.starts_with("whsec_"));
    let path = format!("{ENDPOINTS}/{id}");
    let patched = ada.patch(&path, json!({ "description": "Accounting" })).await;
    for answer in [patched, ada.get(&path).await, ada.get(ENDPOINTS).await] {
        let text = answer.body.to_string();
        assert!(!text.contains("whsec_") && !text.contains("hidden-value") && text.contains("authorization"), "{text}");
    }
    let owner = app.database.client("postgres").await;
    let key = secret.trim_start_matches("whsec_");
    for table in ["endpoints", "messages", "outbox", "events"] {
        let sql = format!("SELECT coalesce(string_agg(t::text, ''), '') FROM {table} t");
        let text: String = owner.query_one(&sql, &[]).await.unwrap().get(0);
        assert!(!text.contains(key) && !text.contains("hidden-value"), "{table}");
    }
}

#[tokio::test]
async fn a_change_names_what_it_changes_and_leaves_the_rest() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    let headers = json!({ "x-one": "1", "x-two": "2" });
    let body = json!({ "url": "https://hooks.example.com/", "description": "a", "rate_limit_per_second": 5, "headers": headers });
    let made = send(ada.request(Method::POST, ENDPOINTS).json(&body)).await;
    let path = made.header("location").to_owned();
    let change = |body: Value, etag: &str| {
        send(ada.request(Method::PATCH, &path).header("if-match", etag.to_owned()).json(&body))
    };
    let changed = change(json!({ "headers": { "X-One": null, "x-three": "3" } }), made.header("etag")).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(changed.body["header_names"], json!(["x-three", "x-two"]));
    assert_eq!((&changed.body["description"], &changed.body["rate_limit_per_second"]), (&json!("a"), &json!(5)));
    assert_eq!(change(json!({ "description": "b" }), made.header("etag")).await.status, 412);
    let removed = change(json!({ "description": null, "rate_limit_per_second": null }), changed.header("etag")).await;
    assert_eq!((&removed.body["description"], &removed.body["rate_limit_per_second"]), (&Value::Null, &Value::Null));
    assert_eq!(removed.body["url"], "https://hooks.example.com/");
    assert_eq!(ada.delete(&path).await.status, 204);
    assert_eq!([ada.delete(&path).await.status, ada.get(&path).await.status], [404, 404]);
}

#[tokio::test]
async fn what_an_endpoint_cannot_be_is_told_at_once() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    let pointers = |answer: &Answer| -> Vec<String> {
        assert_eq!(answer.status, 422, "{answer:?}");
        let errors = answer.body["errors"].as_array().unwrap();
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    };
    let bad = json!({ "url": "https://example.com/", "event_types": ["a", "in voice"], "channels": [""],
        "headers": { "Host": "x", "webhook-id": "x" }, "rate_limit_per_second": 0, "max_concurrency": 0 });
    let expected = [
        "/event_types/1",
        "/channels/0",
        "/headers/Host",
        "/headers/webhook-id",
        "/rate_limit_per_second",
        "/max_concurrency",
    ];
    assert_eq!(pointers(&ada.post(ENDPOINTS, bad).await), expected);
    for url in ["http://example.com/", "https://10.0.0.1/", "https://[fd00:ec2::254]/", "ftp://example.com"] {
        assert_eq!(pointers(&ada.post(ENDPOINTS, json!({ "url": url })).await), ["/url"], "{url}");
    }
    let reserved = json!({ "type": "resource.created", "data": {} });
    assert_eq!(pointers(&ada.post("/v1/webhooks/messages", reserved).await), ["/type"]);
    let large = json!({ "type": "a.b", "data": { "text": "x".repeat(257 * 1024) } });
    assert_eq!(pointers(&ada.post("/v1/webhooks/messages", large).await), ["/data"]);
}

#[tokio::test]
async fn a_message_sent_twice_with_one_key_is_told_once() {
    let (app, receiver) = (TestApp::new().await, Receiver::new().await);
    let ada = app.owner("ada").await;
    endpoint(&ada, json!({ "url": receiver.url(), "event_types": ["invoice.paid", "end.sent"] })).await;
    let body = json!({ "type": "invoice.paid", "data": {} });
    let request = || ada.request(Method::POST, "/v1/webhooks/messages").header("idempotency-key", "one").json(&body);
    let (first, second) = (send(request()).await, send(request()).await);
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (202, 202));
    assert_eq!((first.body, second.header("idempotency-replayed")), (second.body.clone(), "true"));
    message(&ada, "end.sent", json!([])).await;
    let types: Vec<_> = receiver.until(2).await.iter().map(|one| one.of().to_owned()).collect();
    assert_eq!(types, ["invoice.paid", "end.sent"]);
}

#[tokio::test]
async fn a_test_message_goes_to_its_endpoint_alone() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    let [tested, other] = [Receiver::new().await, Receiver::new().await];
    let id = endpoint(&ada, json!({ "url": tested.url(), "event_types": ["none.wanted"] })).await["id"].clone();
    let id = id.as_str().unwrap();
    endpoint(&ada, json!({ "url": other.url() })).await;
    let answer = ada.post(&format!("{ENDPOINTS}/{id}/test"), json!({})).await;
    assert_eq!((answer.status.as_u16(), &answer.body["status"]), (200, &json!("pending")));
    assert_eq!(tested.until(1).await[0].of(), "endpoint.test");
    assert!(other.seen().iter().all(|one| one.of() != "endpoint.test"));
    ada.patch(&format!("{ENDPOINTS}/{id}"), json!({ "enabled": false })).await;
    assert_eq!(ada.post(&format!("{ENDPOINTS}/{id}/test"), json!({})).await.status, 409);
}

#[tokio::test]
async fn members_look_and_send_and_only_administrators_change() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    let id = ada.endpoint("https://hooks.example.com/").await;
    let (bob, eve) = (app.member(&ada, "bob", Role::Member).await, app.member(&ada, "eve", Role::Viewer).await);
    let path = format!("{ENDPOINTS}/{id}");
    assert_eq!(bob.get(&path).await.status, 200);
    assert_eq!(bob.post("/v1/webhooks/messages", json!({ "type": "a.b", "data": {} })).await.status, 202);
    for answer in [
        bob.patch(&path, json!({ "enabled": false })).await,
        bob.post(&format!("{path}/rotate"), json!({})).await,
        bob.post(&format!("{path}/test"), json!({})).await,
        bob.delete(&path).await,
        eve.get(&path).await,
        eve.get("/v1/webhooks/deliveries").await,
        eve.post("/v1/webhooks/messages", json!({ "type": "a.b", "data": {} })).await,
    ] {
        assert_eq!((answer.status.as_u16(), answer.code()), (403, "forbidden"), "{answer:?}");
    }
}

#[tokio::test]
async fn the_event_types_are_those_of_the_catalogue_that_organizations_have() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    let types = ada.get("/v1/webhooks/event-types").await.body;
    let named = |of: &str| types["data"].as_array().unwrap().iter().find(|one| one["type"] == of).cloned();
    assert_eq!(named("resource.created").unwrap()["wildcard"], "resource.*");
    assert_eq!([named("message.created"), named("user.updated")], [None, None]);
}

#[tokio::test]
async fn deliveries_are_listed_page_by_page_newest_first() {
    let (app, receiver) = (TestApp::new().await, Receiver::new().await);
    let ada = app.owner("ada").await;
    endpoint(&ada, json!({ "url": receiver.url(), "event_types": ["invoice.paid"] })).await;
    for _ in 0..5 {
        message(&ada, "invoice.paid", json!([])).await;
    }
    until(20 * SECOND, async || deliveries(&ada, "status=delivered").await.len() == 5).await;
    let (mut path, mut ids) = ("/v1/webhooks/deliveries?status=delivered&limit=2".to_owned(), vec![]);
    loop {
        let page = ada.get(&path).await.body;
        ids.extend(page["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/webhooks/deliveries?status=delivered&limit=2&cursor={cursor}");
    }
    let mut sorted = ids.clone();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    sorted.dedup();
    assert_eq!((ids.len(), ids), (5, sorted));
}
