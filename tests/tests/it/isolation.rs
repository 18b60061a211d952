//! One organization's rows are in no answer to another's.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Person, TestApp, send};

/// Every GET that needs a token and names no single thing: a new one is covered the moment it is described.
async fn readable(app: &TestApp) -> Vec<String> {
    let document = app.get("/v1/openapi.json").await.body;
    let paths = document["paths"].as_object().unwrap().iter();
    let is_open = |operation: &Value| operation["security"].as_array().is_none_or(Vec::is_empty);
    let mut readable: Vec<_> = paths
        .filter(|(path, item)| !path.contains('{') && item["get"].is_object() && !is_open(&item["get"]))
        .map(|(path, _)| path.clone())
        .collect();
    readable.push("/v1/resources?type=note".to_owned());
    readable.push("/v1/resources?type=note&sort=priority".to_owned());
    readable
}

/// All that somebody can read, as one text.
async fn all_of(app: &TestApp, person: &Person) -> String {
    let mut text = String::new();
    for path in readable(app).await {
        let answer = person.get(&path).await;
        assert_eq!(answer.status, 200, "{path} {answer:?}");
        text += &answer.body.to_string();
    }
    text
}

#[tokio::test]
async fn everything_that_can_be_read_shows_the_tokens_organization_only() {
    let app = TestApp::new().await;
    let (alice, mallory) = (app.owner("alice").await, app.owner("mallory").await);
    let bob = app.member(&alice, "bob", types::Role::Member).await;
    alice.note_type().await;
    mallory.note_type().await;
    let secret = alice.note("secret", 1).await;
    let theirs = ["alice", "bob@example.com", "\"secret\"", &secret, &alice.id, &bob.id, &alice.org];
    let (own, foreign) = (all_of(&app, &alice).await, all_of(&app, &mallory).await);
    for one in theirs {
        assert!(own.contains(one), "nothing shows {one} to alice: {own}");
        assert!(!foreign.contains(one), "{one} is shown to mallory: {foreign}");
    }
}

#[tokio::test]
async fn who_belongs_to_two_organizations_sees_that_of_the_token() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    ada.note_type().await;
    let note = ada.note("first", 1).await;
    let second = ada.post("/v1/organizations", json!({ "name": "Second" })).await.body["id"].clone();
    let refresh = json!({ "refresh_token": ada.refresh_token, "organization_id": second });
    let there = app.person(&ada.email, &app.post("/v1/auth/refresh", refresh).await.body);
    assert_eq!(there.get("/v1/resource-types").await.body["data"], json!([]));
    assert_eq!(there.get("/v1/resources").await.body["data"], json!([]));
    assert_eq!(there.get(&format!("/v1/resources/{note}")).await.status, 404);
    assert_eq!(there.get("/v1/organization").await.body["name"], "Second");
}

#[tokio::test]
async fn nobody_enters_an_organization_by_naming_it() {
    let app = TestApp::new().await;
    let (alice, mallory) = (app.owner("alice").await, app.owner("mallory").await);
    let entered = |path, mut body: Value| {
        body["organization_id"] = json!(alice.org);
        send(app.request(Method::POST, path).json(&body))
    };
    let login = entered("/v1/auth/login", json!({ "email": mallory.email, "password": tests::PASSWORD })).await;
    let refresh = entered("/v1/auth/refresh", json!({ "refresh_token": mallory.refresh_token })).await;
    for answer in [login, refresh] {
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "not_found"), "{answer:?}");
    }
}
