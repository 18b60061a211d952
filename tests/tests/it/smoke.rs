//! What the smoke key opens: the mail and the hooks of synthetic accounts, and their end; nothing else, to nobody else.

use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{Answer, PASSWORD, Person, SMOKE_KEY, TestApp, send, smoke, until};

const SOON: Duration = Duration::from_secs(20);
const ADDRESS: &str = "smoke-0123456789abcdef@smoke.invalid";

async fn by_key(app: &TestApp, method: Method, path: &str) -> Answer {
    send(app.request(method, path).bearer_auth(SMOKE_KEY)).await
}

/// Registers a synthetic account and reads its mail.
async fn registered(app: &TestApp) -> Person {
    let register = json!({ "email": ADDRESS, "password": PASSWORD, "organization_name": "Smoke" });
    assert_eq!(app.post("/v1/auth/register", register).await.status, 202);
    let path = format!("/v1/smoke/mail?address={ADDRESS}");
    let mut text = String::new();
    until(SOON, async || {
        let mails = by_key(app, Method::GET, &path).await.body;
        mails["data"][0]["content"]["text"].as_str().unwrap_or_default().clone_into(&mut text);
        !text.is_empty()
    })
    .await;
    let token = text.split("#token=").nth(1).unwrap().split_whitespace().next().unwrap();
    let verify = app.post("/v1/auth/verify-email", json!({ "token": token, "password": PASSWORD })).await;
    assert_eq!(verify.status, 200, "{verify:?}");
    app.person(ADDRESS, &verify.body)
}

#[tokio::test]
async fn mail_to_a_synthetic_account_is_kept_for_the_key_and_never_sent() {
    let app = TestApp::new().await;
    registered(&app).await;
    assert!(app.mails().is_empty(), "nothing was sent");
    let path = format!("/v1/smoke/mail?address={ADDRESS}");
    for request in [app.request(Method::GET, &path), app.request(Method::GET, &path).bearer_auth("guess")] {
        assert_eq!(send(request).await.code(), "unauthenticated");
    }
    assert_eq!(by_key(&app, Method::GET, "/v1/smoke/mail?address=ada@example.com").await.status, 404, "nobody else's");
    app.clock.advance(Duration::from_mins(11));
    assert_eq!(by_key(&app, Method::GET, &path).await.body["data"], json!([]));
}

#[tokio::test]
async fn a_hook_takes_what_is_posted_to_a_name_that_only_the_key_makes() {
    let app = TestApp::new().await;
    let hook = format!("/v1/smoke/hooks/{}", smoke().hook("abc"));
    let post = app.request(Method::POST, &hook).header("webhook-id", "msg_1").header("x-other", "x").body("{\"a\":1}");
    assert_eq!(send(post).await.status, 204);
    assert_eq!(send(app.request(Method::POST, "/v1/smoke/hooks/abc").body("x")).await.status, 404);
    let huge = app.request(Method::POST, &hook).body("x".repeat(100_000));
    assert_eq!(send(huge).await.status, 413);
    let caught = by_key(&app, Method::GET, &hook).await.body["data"].clone();
    let content = json!({ "headers": { "webhook-id": "msg_1" }, "body": "{\"a\":1}" });
    assert_eq!((caught.as_array().unwrap().len(), &caught[0]["content"]), (1, &content));
    assert_eq!(app.get(&hook).await.code(), "unauthenticated");
}

/// Every table that knows organizations, with how many rows name this one.
async fn rows_of(app: &TestApp, org: &str) -> Vec<String> {
    let org = org.parse::<types::OrgId>().unwrap().0;
    let postgres = app.database.client("postgres").await;
    let tables = "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id'
                  WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1";
    let mut found = vec![];
    for table in postgres.query(tables, &[]).await.unwrap() {
        let table: String = table.get(0);
        let count = format!("SELECT count(*) FROM {table} WHERE org_id = '{org}'");
        if postgres.query_one(&count, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            found.push(table);
        }
    }
    found
}

/// What stays: the log, and what is erased with time anyway.
fn stays(table: &str) -> bool {
    matches!(table, "events" | "outbox" | "invalidations")
}

async fn filled(app: &TestApp) -> Person {
    let person = registered(app).await;
    person.note_type().await;
    person.note("smoke", 1).await;
    app.many_notes(&person).await;
    let endpoint = person.endpoint("https://hooks.example.com/").await;
    let test = format!("/v1/webhooks/endpoints/{endpoint}/test");
    assert_eq!(person.post(&test, json!({})).await.status, 200);
    let (_, key) = person.source().await;
    let event = json!({ "event": "Smoke Tested", "userId": "u-1" });
    let track = app.request(Method::POST, "/v1/track").basic_auth(key, Some("")).json(&event);
    assert_eq!(send(track).await.status, 200);
    person
}

#[tokio::test]
async fn erasing_leaves_nothing_but_the_log_and_needs_a_synthetic_account() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    let person = filled(&app).await;
    let before = rows_of(&app, &person.org).await;
    assert!(before.len() > 15, "{before:?}");
    let erase = |address: &str| format!("/v1/smoke/accounts?address={address}");
    assert_eq!(by_key(&app, Method::DELETE, &erase(&ada.email)).await.status, 404);
    assert_eq!(by_key(&app, Method::DELETE, &erase(ADDRESS)).await.status, 204);
    assert_eq!(by_key(&app, Method::DELETE, &erase(ADDRESS)).await.status, 404, "again there is nothing");
    let left: Vec<_> = rows_of(&app, &person.org).await.into_iter().filter(|table| !stays(table)).collect();
    assert!(left.is_empty(), "add them to erase_synthetic: {left:?}");
    let login = json!({ "email": ADDRESS, "password": PASSWORD });
    assert_eq!(app.post("/v1/auth/login", login).await.code(), "bad_credentials");
    assert_eq!(ada.get("/v1/organization").await.status, 200, "others stay");
}

#[tokio::test]
async fn what_a_killed_run_left_behind_is_erased_after_an_hour() {
    let app = TestApp::new().await;
    let person = filled(&app).await;
    let (database, org) = (app.database.clone(), person.org.clone());
    app.stop().await;
    let later = TestApp::later(database, Duration::from_mins(61)).await;
    until(SOON, async || rows_of(&later, &org).await.iter().all(|table| stays(table))).await;
}

#[tokio::test]
async fn only_the_synthetic_can_be_erased_by_the_function_itself() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    let org = ada.org.parse::<types::OrgId>().unwrap().0;
    let client = app.database.client("api_platform_app").await;
    client.batch_execute("SET ROLE eap_system").await.unwrap();
    let erased = client.query_one(&format!("SELECT erase_synthetic('{org}')"), &[]).await.unwrap();
    assert!(!erased.get::<_, bool>(0));
    client.batch_execute("SET ROLE eap_tenant").await.unwrap();
    assert!(client.query_one(&format!("SELECT erase_synthetic('{org}')"), &[]).await.is_err());
    assert_eq!(ada.get("/v1/organization").await.body["id"], json!(ada.org));
    assert_eq!(Value::Null, ada.get("/v1/organization").await.body["synthetic"], "nobody is told");
}

#[tokio::test]
async fn only_synthetic_organizations_may_have_deliveries_to_the_hooks() {
    let database = testing::Database::new().await;
    let hooks = "http://platform.test/v1/smoke/hooks/".parse().unwrap();
    let rules = webhooks::Rules { loopback: false, allow_http_to: Some(hooks) };
    let app = TestApp::with(database, |options| options.delivery.rules = rules).await;
    let (ada, person) = (app.owner("ada").await, registered(&app).await);
    let body = json!({ "url": format!("http://platform.test/v1/smoke/hooks/{}", smoke().hook("abc")) });
    let refused = ada.post("/v1/webhooks/endpoints", body.clone()).await;
    assert_eq!((refused.code(), &refused.body["errors"][0]["pointer"]), ("invalid", &json!("/url")));
    assert_eq!(person.post("/v1/webhooks/endpoints", body.clone()).await.status, 201);
    let public = ada.endpoint("https://example.com/hooks").await;
    assert_eq!(ada.patch(&format!("/v1/webhooks/endpoints/{public}"), body).await.code(), "invalid");
}
