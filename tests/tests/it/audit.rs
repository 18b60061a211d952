//! The audit log: everything that was done is in it, nobody changes it, and its personal values can go.

use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{PASSWORD, Person, TestApp, send, until};
use types::Role;

const SOON: Duration = Duration::from_secs(5);

/// The actions of a list, newest first.
async fn actions(person: &Person, query: &str) -> Vec<String> {
    let answer = person.get(&format!("/v1/audit/events?{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let data = answer.body["data"].as_array().unwrap().clone();
    data.iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
}

/// Waits until the newest entry is of this action.
async fn newest(person: &Person, action: &str) -> Value {
    let mut entry = Value::Null;
    until(SOON, async || {
        entry = person.get("/v1/audit/events?limit=1").await.body["data"][0].clone();
        entry["action"] == action
    })
    .await;
    entry
}

#[tokio::test]
async fn what_was_done_is_told_newest_first_with_who_did_it_and_by_which_request() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    ada.note_type().await;
    let create =
        ada.request(Method::POST, "/v1/resources").json(&json!({ "type": "note", "document": { "title": "a" } }));
    let created = send(create).await;
    let entry = newest(&ada, "resource.created").await;
    assert_eq!((&entry["actor"]["kind"], &entry["actor"]["id"]), (&json!("user"), &json!(ada.id)));
    assert_eq!((&entry["target"], &entry["request_id"]), (&created.body["id"], &json!(created.header("x-request-id"))));
    let all = actions(&ada, "").await;
    let expected =
        ["resource.created", "resource_type.created", "session.created", "member.joined", "organization.created"];
    assert_eq!(all, expected);
    let one = ada.get(&format!("/v1/audit/events/{}", entry["id"].as_str().unwrap())).await;
    assert_eq!((one.status.as_u16(), &one.body), (200, &entry));
}

#[tokio::test]
async fn lists_are_filtered_by_who_what_whom_and_when_and_go_on_page_by_page() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    let bob = app.member(&ada, "bob", Role::Member).await;
    ada.note_type().await;
    let note = bob.note("first", 1).await;
    for title in ["second", "third"] {
        ada.note(title, 2).await;
    }
    newest(&ada, "resource.created").await;
    until(SOON, async || actions(&ada, "action=resource.created").await.len() == 3).await;
    assert_eq!(actions(&ada, &format!("target={note}")).await, ["resource.created"]);
    assert_eq!(actions(&ada, &format!("actor={}&action=resource.*", bob.id)).await, ["resource.created"]);
    assert_eq!(actions(&ada, "until=2020-01-01T00:00:00Z").await, [""; 0]);
    assert_eq!(actions(&ada, "since=2090-01-01T00:00:00Z").await, [""; 0]);
    assert_eq!(actions(&ada, "since=-005000-01-01T00:00:00Z&action=resource_type.*").await, ["resource_type.created"]);
    let whole = actions(&ada, "").await;
    let (mut paged, mut cursor) = (vec![], String::new());
    loop {
        let page = ada.get(&format!("/v1/audit/events?limit=2{cursor}")).await.body;
        paged.extend(page["data"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged, whole);
    assert_eq!(ada.get("/v1/audit/events?action=nothing.happened").await.code(), "invalid");
}

#[tokio::test]
async fn a_filter_that_matches_little_looks_through_a_bounded_part_and_goes_on() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    newest(&ada, "session.created").await;
    let owner = app.database.client("admin_user").await;
    let many = "INSERT INTO events (sequenced_at, position, id, kind, org_id, actor, data, at)
        SELECT clock_timestamp(), 1000000 + n, gen_random_uuid(), 'resource.updated', o.id, '{\"kind\": \"system\"}', '{}', now()
        FROM organizations o, generate_series(1, 12000) n";
    owner.batch_execute(many).await.unwrap();
    let (mut pages, mut found, mut cursor) = (0, 0, String::new());
    loop {
        let page = ada.get(&format!("/v1/audit/events?action=organization.created{cursor}")).await.body;
        pages += 1;
        found += page["data"].as_array().unwrap().len();
        assert_eq!(page["has_more"], page["next_cursor"].is_string());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!((pages, found), (3, 1), "12,000 entries, 5,000 a page");
}

#[tokio::test]
async fn failed_sign_ins_and_refused_accesses_are_in_it() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    let bob = app.member(&ada, "bob", Role::Viewer).await;
    app.post("/v1/auth/login", json!({ "email": bob.email, "password": "a wrong one" })).await;
    let failed = newest(&ada, "session.failed").await;
    assert_eq!((&failed["actor"]["kind"], &failed["target"]), (&json!("anonymous"), &json!(bob.id)));
    assert_eq!(failed["personal"]["address"], "127.0.0.1");
    for _ in 0..3 {
        assert_eq!(bob.get("/v1/audit/events").await.status, 403);
    }
    let denied = newest(&ada, "access.denied").await;
    assert_eq!(denied["actor"]["id"], json!(bob.id));
    let data = &denied["data"];
    assert_eq!((&data["operation"], &data["permission"]), (&json!("GET /v1/audit/events"), &json!("audit:read")));
    assert!(data["times"].as_u64().unwrap() >= 1);
    // The rest of the minute's is told at the latest when the process stops.
    let database = app.database.clone();
    app.stop().await;
    let owner = database.client("admin_user").await;
    let times = "SELECT sum((data->>'times')::int) FROM (SELECT kind, data FROM events UNION ALL SELECT kind, data FROM outbox) e
                 WHERE kind = 'access.denied'";
    assert_eq!(owner.query_one(times, &[]).await.unwrap().get::<_, i64>(0), 3);
    let again = TestApp::on(database).await;
    assert_eq!(again.post("/v1/auth/login", json!({ "email": ada.email, "password": PASSWORD })).await.status, 200);
}

#[tokio::test]
async fn personal_values_can_be_erased_and_the_entry_stays_as_it_was() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    let before = newest(&ada, "session.created").await;
    let owner = app.database.client("admin_user").await;
    let holds = "SELECT bool_and(e.personal_hash = sha256(p.salt || convert_to(p.data::text, 'UTF8')))
                 FROM events e JOIN event_personal p ON p.event_id = e.id";
    assert!(owner.query_one(holds, &[]).await.unwrap().get::<_, bool>(0), "the hash is of salt and values");
    owner.batch_execute("DELETE FROM event_personal").await.unwrap();
    let after = ada.get(&format!("/v1/audit/events/{}", before["id"].as_str().unwrap())).await.body;
    let mut expected = before.clone();
    assert!(expected["personal"]["address"].is_string() && expected["personal_hash"].is_string());
    expected["personal"] = Value::Null;
    assert_eq!(after, expected);
}

#[tokio::test]
async fn nobody_changes_an_entry_not_even_the_owner_of_the_table() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    newest(&ada, "session.created").await;
    for login in ["admin_user", "api_platform_app"] {
        let client = app.database.client(login).await;
        for role in ["", "SET ROLE eap_tenant", "SET ROLE eap_person", "SET ROLE eap_system"] {
            if login == "admin_user" && !role.is_empty() {
                continue;
            }
            client.batch_execute(role).await.unwrap();
            for change in ["UPDATE events SET kind = 'x'", "DELETE FROM events"] {
                let error = client.batch_execute(change).await.unwrap_err();
                assert_eq!(error.code().unwrap().code(), "42501", "{login} {role} {change}");
            }
        }
    }
}
