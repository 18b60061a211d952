//! Typed resources: created once, changed with care, listed by index.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tests::{Answer, Person, TestApp, send};
use types::Role;

fn note(title: &str) -> Value {
    json!({ "type": "note", "document": { "title": title, "priority": 1 } })
}

async fn create(person: &Person, key: &str, body: &Value) -> Answer {
    send(person.request(Method::POST, "/v1/resources").header("idempotency-key", key).json(body)).await
}

#[tokio::test]
async fn a_resource_lives_from_create_to_delete() {
    let app = TestApp::new().await;
    let alice = app.owner("alice").await;
    alice.note_type().await;
    let created = alice.post("/v1/resources", note("first")).await;
    assert_eq!((created.status.as_u16(), created.header("etag")), (201, "\"1\""));
    let path = created.header("location").to_owned();
    let patched = alice.patch(&path, json!({ "document": { "title": "second" } })).await;
    assert_eq!(patched.body["document"], json!({ "title": "second", "priority": 1 }), "what is not named stays");
    assert_eq!(alice.get(&path).await.header("etag"), "\"2\"");
    let stale = alice.request(Method::PATCH, &path).header("if-match", "\"1\"").json(&json!({ "document": {} }));
    let stale = send(stale).await;
    assert_eq!((stale.status.as_u16(), stale.code()), (412, "precondition_failed"));
    assert_eq!(alice.delete(&path).await.status, 204);
    assert_eq!(alice.delete(&path).await.status, 404);
    assert_eq!(alice.get(&path).await.status, 404);
}

#[tokio::test]
async fn the_same_key_gets_the_first_answer_again_and_another_body_is_refused() {
    let app = TestApp::new().await;
    let alice = app.owner("alice").await;
    alice.note_type().await;
    let first = create(&alice, "k1", &note("once")).await;
    let again = create(&alice, "k1", &note("once")).await;
    assert_eq!((&first.body, again.header("idempotency-replayed")), (&again.body, "true"));
    assert_eq!(again.header("location"), first.header("location"));
    let other = create(&alice, "k1", &note("other")).await;
    assert_eq!((other.status.as_u16(), other.code()), (422, "idempotency_mismatch"));
    assert_eq!(alice.get("/v1/resources?type=note").await.body["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_same_request_several_times_at_once_happens_once() {
    let app = TestApp::new().await;
    let alice = app.owner("alice").await;
    alice.note_type().await;
    let body = note("once");
    let (a, b, c) = tokio::join!(create(&alice, "k", &body), create(&alice, "k", &body), create(&alice, "k", &body));
    for answer in [a, b, c] {
        assert!(answer.status == StatusCode::CREATED || answer.code() == "in_progress", "{answer:?}");
    }
    assert_eq!(create(&alice, "k", &body).await.header("idempotency-replayed"), "true");
    assert_eq!(alice.get("/v1/resources?type=note").await.body["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_of_one_person_means_nothing_to_another() {
    let app = TestApp::new().await;
    let alice = app.owner("alice").await;
    let bob = app.member(&alice, "bob", Role::Member).await;
    alice.note_type().await;
    let (first, second) = (create(&alice, "k", &note("hers")).await, create(&bob, "k", &note("his")).await);
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 201));
    assert_ne!(first.body["id"], second.body["id"]);
}

#[tokio::test]
async fn changes_of_different_members_at_once_are_all_kept() {
    let app = TestApp::new().await;
    let alice = app.owner("alice").await;
    alice.post("/v1/resource-types", json!({ "name": "free", "schema": { "type": "object" }, "indexed": [] })).await;
    let made = alice.post("/v1/resources", json!({ "type": "free", "document": {} })).await;
    let change = |member: &str| alice.patch(made.header("location"), json!({ "document": { member: true } }));
    let (a, b, c, d) = tokio::join!(change("a"), change("b"), change("c"), change("d"));
    assert!([a, b, c, d].iter().all(|answer| answer.status == 200));
    let after = alice.get(made.header("location")).await;
    assert_eq!(after.body["document"], json!({ "a": true, "b": true, "c": true, "d": true }));
    assert_eq!(after.header("etag"), "\"5\"");
}

#[tokio::test]
async fn of_two_changes_to_the_same_version_one_is_refused() {
    let app = TestApp::new().await;
    let alice = app.owner("alice").await;
    alice.note_type().await;
    let made = alice.post("/v1/resources", note("first")).await;
    let change = |title: &str| {
        let request = alice.request(Method::PATCH, made.header("location")).header("if-match", made.header("etag"));
        send(request.json(&json!({ "document": { "title": title } })))
    };
    let (a, b) = tokio::join!(change("a"), change("b"));
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
}

#[tokio::test]
async fn a_document_that_its_type_does_not_take_is_refused_with_the_place() {
    let app = TestApp::new().await;
    let alice = app.owner("alice").await;
    alice.note_type().await;
    let answer = alice.post("/v1/resources", json!({ "type": "note", "document": { "title": 7 } })).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (422, "invalid"));
    assert_eq!(answer.body["errors"][0]["pointer"], "/document/title", "{answer:?}");
}

#[tokio::test]
async fn a_declared_field_filters_and_sorts_and_another_is_refused() {
    let app = TestApp::new().await;
    let alice = app.owner("alice").await;
    alice.note_type().await;
    for (title, priority) in [("low", 1), ("high", 9), ("middle", 5)] {
        alice.note(title, priority).await;
    }
    let list = alice.get("/v1/resources?type=note&filter=priority:gte:5&sort=-priority").await;
    let titles: Vec<_> =
        list.body["data"].as_array().unwrap().iter().map(|one| one["document"]["title"].clone()).collect();
    assert_eq!(titles, ["high", "middle"]);
    for refused in ["filter=title:eq:low", "sort=title", "filter=priority:gte:5&sort=title"] {
        let answer = alice.get(&format!("/v1/resources?type=note&{refused}")).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (422, "not_indexed"), "{refused}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_and_without_repetition() {
    let app = TestApp::new().await;
    let alice = app.owner("alice").await;
    alice.note_type().await;
    for priority in 0..7 {
        alice.note("n", priority).await;
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/resources?type=note&sort=priority&limit=3".to_owned());
    loop {
        let page = alice.get(&path).await;
        seen.extend(
            page.body["data"].as_array().unwrap().iter().map(|one| one["document"]["priority"].as_i64().unwrap()),
        );
        let Some(next) = page.body["next_cursor"].as_str() else { break };
        assert!(page.header("link").contains("rel=\"next\""));
        path = format!("/v1/resources?type=note&sort=priority&limit=3&cursor={next}");
    }
    assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6]);
    let foreign = path.replace("sort=priority", "sort=-priority");
    assert_eq!(alice.get(&foreign).await.code(), "invalid_cursor");
}

#[tokio::test]
async fn a_viewer_reads_and_changes_nothing() {
    let app = TestApp::new().await;
    let alice = app.owner("alice").await;
    let vera = app.member(&alice, "vera", Role::Viewer).await;
    alice.note_type().await;
    let id = alice.note("mine", 1).await;
    assert_eq!(vera.get(&format!("/v1/resources/{id}")).await.status, 200);
    assert_eq!(vera.post("/v1/resources", note("theirs")).await.code(), "forbidden");
    assert_eq!(vera.delete(&format!("/v1/resources/{id}")).await.code(), "forbidden");
}

#[tokio::test]
async fn every_change_is_in_the_event_log() {
    let app = TestApp::new().await;
    let alice = app.owner("alice").await;
    alice.note_type().await;
    let id = alice.note("logged", 1).await;
    alice.delete(&format!("/v1/resources/{id}")).await;
    let postgres = app.database.client("postgres").await;
    tests::until(Duration::from_secs(5), async || {
        let kinds = "SELECT array_agg(kind ORDER BY position) FROM events WHERE target = $1";
        let kinds: Option<Vec<String>> = postgres.query_one(kinds, &[&id]).await.unwrap().get(0);
        kinds.unwrap_or_default() == ["resource.created", "resource.deleted"]
    })
    .await;
}

#[tokio::test]
async fn a_job_indexes_many_resources_by_another_field_and_goes_on_in_another_process() {
    let app = TestApp::new().await;
    let alice = app.owner("alice").await;
    alice.note_type().await;
    alice.note("first", 1).await;
    // Held up, so that the process that begins cannot end it.
    let mut postgres = app.database.client("postgres").await;
    let lock = postgres.transaction().await.unwrap();
    lock.batch_execute("SELECT FROM resources FOR UPDATE").await.unwrap();
    let job = format!("/v1/jobs/{}", app.many_notes(&alice).await);
    tests::until(Duration::from_secs(10), async || alice.get(&job).await.body["state"] == "running").await;
    let list = alice.get("/v1/resources?type=note&sort=title&limit=200").await;
    assert_eq!((list.status.as_u16(), list.code()), (422, "not_indexed"), "{list:?}");
    let database = app.database.clone();
    app.stop().await;
    lock.rollback().await.unwrap();
    let client = database.client("postgres").await;
    client.batch_execute("UPDATE jobs SET lease_until = now()").await.unwrap();
    let app = TestApp::on(database).await;
    let alice = alice.at(&app);
    tests::until(Duration::from_secs(10), async || alice.get(&job).await.body["state"] == "succeeded").await;
    let ended = alice.get(&job).await.body;
    assert_eq!(ended["progress"], json!({ "done": 1_002, "total": 1_002 }));
    assert_eq!(ended["result"], "/v1/resource-types/note");
    let list = alice.get("/v1/resources?type=note&sort=title&limit=1").await;
    assert_eq!(list.body["data"][0]["document"]["title"], "first");
    let highest = alice.get("/v1/resources?type=note&sort=-title&limit=1").await;
    assert_eq!(highest.body["data"][0]["document"]["title"], "n999");
}

#[tokio::test]
async fn who_did_not_make_a_job_sees_it_only_with_the_right_to_make_one() {
    let app = TestApp::new().await;
    let alice = app.owner("alice").await;
    let (ada, bob) = (app.member(&alice, "ada", Role::Admin).await, app.member(&alice, "bob", Role::Member).await);
    alice.note_type().await;
    let job = format!("/v1/jobs/{}", app.many_notes(&alice).await);
    for (person, status) in [(&alice, 200), (&ada, 200), (&bob, 404)] {
        assert_eq!(person.get(&job).await.status, status, "{}", person.email);
    }
}

#[tokio::test]
async fn a_job_is_erased_30_days_after_it_finished() {
    let app = TestApp::new().await;
    let alice = app.owner("alice").await;
    alice.note_type().await;
    let job = format!("/v1/jobs/{}", app.many_notes(&alice).await);
    tests::until(Duration::from_secs(10), async || !alice.get(&job).await.body["finished_at"].is_null()).await;
    let finished = async |days: i32| {
        let client = app.database.client("postgres").await;
        let set = "UPDATE jobs SET finished_at = now() - make_interval(days => $1)";
        client.execute(set, &[&days]).await.unwrap();
        // Each process begins by erasing what is past its time.
        TestApp::on(app.database.clone()).await
    };
    let _young = finished(29).await;
    assert_eq!(alice.get(&job).await.status, 200);
    let _old = finished(31).await;
    tests::until(Duration::from_secs(10), async || alice.get(&job).await.status == 404).await;
}
