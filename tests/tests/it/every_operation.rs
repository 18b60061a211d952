//! Tests that the OpenAPI document generates: a new operation is covered the moment it is described.

use reqwest::Method;
use serde_json::Value;
use tests::{Answer, TestApp, send};
use types::Role;

/// Operations that need no credential. A new one is added here, in its own commit.
const OPEN: [&str; 10] = [
    "get_jwks",
    "health_full",
    "health_live",
    "health_public",
    "health_ready",
    "login",
    "refresh",
    "register",
    "resend_verification",
    "verify_email",
];

struct Operation {
    id: String,
    method: Method,
    path: String,
    open: bool,
    /// For the write key of an analytics source, and in Segment's own style.
    by_write_key: bool,
    has_body: bool,
}

async fn operations(app: &TestApp) -> Vec<Operation> {
    let document = app.get("/v1/openapi.json").await.body;
    let paths = document["paths"].as_object().unwrap().clone();
    let of_path = |(path, item): (String, Value)| {
        let item = item.as_object().unwrap().clone();
        item.into_iter().map(move |(method, operation)| Operation {
            id: operation["operationId"].as_str().unwrap().to_owned(),
            method: method.to_uppercase().parse().unwrap(),
            path: path.clone(),
            open: operation["security"].as_array().is_none_or(|security| {
                security.is_empty() || security.iter().any(|one| one.as_object().is_some_and(serde_json::Map::is_empty))
            }),
            by_write_key: operation["security"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one["write_key"].is_array())),
            has_body: operation["requestBody"].is_object(),
        })
    };
    paths.into_iter().flat_map(of_path).collect()
}

async fn ask(app: &TestApp, operation: &Operation, token: Option<&str>, path: &str) -> Answer {
    let mut request = app.request(operation.method.clone(), path);
    if operation.has_body {
        request = request.json(&serde_json::json!({}));
    }
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    send(request).await
}

/// A path with its parameter in place.
fn with_id(template: &str, id: &str) -> String {
    let (begin, rest) = template.split_once('{').unwrap();
    format!("{begin}{id}{}", rest.split_once('}').unwrap().1)
}

/// A path with an id that looks right and names nothing.
fn filled(path: &str) -> String {
    let ids = [
        ("/v1/users/{id}", "usr_01jhs3n5c8fq7t2v9w4x6y8zab"),
        ("/v1/members/{user_id}", "usr_01jhs3n5c8fq7t2v9w4x6y8zab"),
        ("/v1/auth/sessions/{id}", "ses_01jhs3n5c8fq7t2v9w4x6y8zab"),
        ("/v1/resources/{id}", "res_01jhs3n5c8fq7t2v9w4x6y8zab"),
        ("/v1/analytics/sources/{id}", "src_01jhs3n5c8fq7t2v9w4x6y8zab"),
        ("/v1/resource-types/{name}", "nothing"),
        ("/v1/jobs/{id}", "job_01jhs3n5c8fq7t2v9w4x6y8zab"),
        ("/v1/audit/events/{id}", "evt_01jhs3n5c8fq7t2v9w4x6y8zab"),
        ("/v1/webhooks/endpoints/{id}", "whe_01jhs3n5c8fq7t2v9w4x6y8zab"),
        ("/v1/webhooks/endpoints/{id}/rotate", "whe_01jhs3n5c8fq7t2v9w4x6y8zab"),
        ("/v1/webhooks/endpoints/{id}/test", "whe_01jhs3n5c8fq7t2v9w4x6y8zab"),
        ("/v1/webhooks/deliveries/{id}", "dlv_01jhs3n5c8fq7t2v9w4x6y8zab"),
        ("/v1/webhooks/deliveries/{id}/retry", "dlv_01jhs3n5c8fq7t2v9w4x6y8zab"),
    ];
    let known = ids.iter().find(|(template, _)| *template == path);
    if let Some((template, id)) = known {
        return with_id(template, id);
    }
    assert!(!path.contains('{'), "{path}: say here what its parameter looks like");
    path.to_owned()
}

#[tokio::test]
async fn the_open_operations_are_those_on_the_list() {
    let app = TestApp::new().await;
    let mut open: Vec<_> = operations(&app).await.into_iter().filter(|one| one.open).map(|one| one.id).collect();
    open.sort_unstable();
    assert_eq!(open, OPEN);
}

#[tokio::test]
async fn every_other_operation_refuses_who_has_no_valid_token() {
    let app = TestApp::new().await;
    let mut refused = 0;
    for operation in operations(&app).await.iter().filter(|one| !one.open && !one.by_write_key) {
        let path = filled(&operation.path);
        for token in [None, Some("garbage"), Some("eyJhbGciOiJub25lIn0.e30.")] {
            let answer = ask(&app, operation, token, &path).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code()),
                (401, "unauthenticated"),
                "{} {answer:?}",
                operation.id
            );
            assert_eq!(answer.header("content-type"), "application/problem+json", "{}", operation.id);
            assert_eq!(answer.header("x-request-id"), answer.body["request_id"].as_str().unwrap(), "{}", operation.id);
            refused += 1;
        }
    }
    assert!(refused > 60, "only {refused}");
}

#[tokio::test]
async fn operations_of_write_keys_refuse_whoever_has_none_and_take_events_of_whoever_has_one() {
    let app = TestApp::new().await;
    let alice = app.owner("alice").await;
    let (_, key) = alice.source().await;
    let event = serde_json::json!({ "event": "e", "userId": "u", "groupId": "g", "previousId": "p", "batch": [] });
    let mut asked = 0;
    for operation in operations(&app).await.iter().filter(|one| one.by_write_key) {
        let post = || app.request(operation.method.clone(), &operation.path).json(&event);
        let of_another_kind = [post(), post().bearer_auth(&alice.token), post().basic_auth("eap_pk_nobody", Some(""))];
        for request in of_another_kind {
            let answer = send(request).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code()),
                (401, "unknown_write_key"),
                "{} {answer:?}",
                operation.id
            );
            assert_eq!(answer.body["success"], false, "{}", operation.id);
        }
        let answer = send(post().basic_auth(&key, Some(""))).await;
        let receipt = serde_json::json!({ "success": true, "rejected": [] });
        assert_eq!((answer.status.as_u16(), answer.body), (200, receipt), "{}", operation.id);
        let token = app.request(Method::GET, "/v1/analytics/sources").basic_auth(&key, Some(""));
        assert_eq!(send(token).await.status, 401, "a write key reads nothing");
        asked += 1;
    }
    assert_eq!(asked, 7);
}

#[tokio::test]
async fn an_open_operation_does_not_look_at_a_bad_token() {
    let app = TestApp::new().await;
    for operation in operations(&app).await.iter().filter(|one| one.open) {
        let [without, with] = [
            ask(&app, operation, None, &operation.path).await,
            ask(&app, operation, Some("garbage"), &operation.path).await,
        ];
        assert_eq!(without.status, with.status, "{}", operation.id);
        assert!(without.status.is_success() || without.status == 400, "{} {without:?}", operation.id);
    }
}

#[tokio::test]
async fn what_belongs_to_another_organization_is_not_found_by_any_operation_with_an_id() {
    let app = TestApp::new().await;
    let (alice, mallory) = (app.owner("alice").await, app.owner("mallory").await);
    let bob = app.member(&alice, "bob", Role::Member).await;
    alice.note_type().await;
    let note = alice.note("secret", 1).await;
    let job = app.many_notes(&alice).await;
    let entry = app.first_entry(&alice).await["id"].as_str().unwrap().to_owned();
    let endpoint = alice.endpoint("https://alice.example.com/hooks").await;
    let tested = alice.post(&format!("/v1/webhooks/endpoints/{endpoint}/test"), serde_json::json!({})).await;
    let delivery = tested.body["id"].as_str().unwrap().to_owned();
    let session = alice.get("/v1/auth/sessions").await.body["data"][0]["id"].as_str().unwrap().to_owned();
    let (source, _) = alice.source().await;
    let theirs = [
        ("/v1/users/{id}", bob.id.clone()),
        ("/v1/members/{user_id}", bob.id.clone()),
        ("/v1/auth/sessions/{id}", session),
        ("/v1/resources/{id}", note),
        ("/v1/analytics/sources/{id}", source),
        ("/v1/resource-types/{name}", "note".to_owned()),
        ("/v1/jobs/{id}", job),
        ("/v1/audit/events/{id}", entry),
        ("/v1/webhooks/endpoints/{id}", endpoint.clone()),
        ("/v1/webhooks/endpoints/{id}/rotate", endpoint.clone()),
        ("/v1/webhooks/endpoints/{id}/test", endpoint),
        ("/v1/webhooks/deliveries/{id}", delivery.clone()),
        ("/v1/webhooks/deliveries/{id}/retry", delivery),
    ];
    let mut asked = 0;
    for operation in operations(&app).await.iter().filter(|one| one.path.contains('{')) {
        let (_, id) =
            theirs.iter().find(|(template, _)| *template == operation.path).expect("every path with an id is here");
        let path = with_id(&operation.path, id);
        let mut request = mallory.request(operation.method.clone(), &path).header("if-match", "\"1\"");
        if operation.has_body {
            let schema = serde_json::json!({ "type": "object" });
            let body = match operation.id.as_str() {
                "replace_resource_type" => serde_json::json!({ "schema": schema, "indexed": [] }),
                "patch_endpoint" => serde_json::json!({ "description": "mine now" }),
                "rotate_endpoint_secret" => serde_json::json!({}),
                "change_member" => serde_json::json!({ "role": "viewer" }),
                "change_analytics_source" => serde_json::json!({ "name": "mine now" }),
                _ => serde_json::json!({ "document": { "title": "mine now" } }),
            };
            request = request.json(&body);
        }
        let answer = send(request).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "not_found"), "{} {answer:?}", operation.id);
        asked += 1;
    }
    assert!(asked >= 17, "only {asked}");
    assert_eq!(alice.get(&format!("/v1/users/{}", bob.id)).await.body["role"], "member");
}
