//! Bodies, queries, paths, lists, conditions.

use crate::service::Service;
use axum::{body::Body, http::Request};
use serde_json::json;

const VALIDATE: &str = "/v1/things/validate";

#[tokio::test]
async fn a_problem_says_where_it_occurred() {
    let answer = Service::new().get("/v1/nowhere").await;
    assert_eq!(answer.problem(), (404, "not_found"));
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.body["type"], "http://localhost:3000/errors/not_found");
    assert_eq!(answer.body["instance"], "/v1/nowhere");
    assert_eq!(answer.body["request_id"], answer.header("x-request-id"));
}

#[tokio::test]
async fn another_method_is_a_problem_that_names_the_right_ones() {
    let answer = Service::new().send(Request::delete("/v1/things").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.problem(), (405, "method_not_allowed"));
    assert!(answer.header("allow").contains("POST"), "{:?}", answer.headers);
}

#[tokio::test]
async fn all_wrong_values_are_named_at_once() {
    let answer = Service::new().post(VALIDATE, r#"{"name": "", "size": 12}"#).await;
    assert_eq!(answer.problem(), (422, "invalid"));
    let pointers: Vec<_> = answer.body["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, [&json!("/name"), &json!("/size")]);
}

#[tokio::test]
async fn a_wrong_shape_is_named_with_its_place() {
    let service = Service::new();
    for (body, pointer) in [
        (r#"{"name": 1}"#, "/name"),
        (r#"{"name": "a", "sise": 1}"#, "/sise"),
        (r#"{"size": 1}"#, "/name"),
        (r#"{"name": "a", "size": 300}"#, "/size"),
    ] {
        let answer = service.post(VALIDATE, body).await;
        assert_eq!(answer.problem(), (400, "malformed_body"), "{body}");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{body}");
    }
    for body in ["", "[\"a\"]", "null", "{\"name\": \"a\"} {}", "{\"name\": \"a\"", "\u{feff}{}"] {
        assert_eq!(service.post(VALIDATE, body).await.problem(), (400, "malformed_body"), "{body}");
    }
}

#[tokio::test]
async fn a_body_must_be_json_and_not_too_large() {
    let service = Service::new();
    let text = Request::post(VALIDATE).header("content-type", "text/plain").body(Body::from("{}")).unwrap();
    assert_eq!(service.send(text).await.problem(), (415, "unsupported_media_type"));
    let large = format!("{{\"name\": \"{}\"}}", "a".repeat(1 << 20));
    assert_eq!(service.post(VALIDATE, large).await.problem(), (413, "body_too_large"));
}

#[tokio::test]
async fn a_malformed_id_is_not_found() {
    let service = Service::new();
    assert_eq!(service.get("/v1/things/7").await.problem(), (404, "not_found"));
    assert_eq!(service.get("/v1/things/%ff").await.problem(), (404, "not_found"));
    let answer = service.get("/v1/things/res_01jhs3n5c8fq7t2v9w4x6y8zab").await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, "\"7\""));
}

#[tokio::test]
async fn a_change_of_another_version_is_refused() {
    let request = Request::get("/v1/things/res_01jhs3n5c8fq7t2v9w4x6y8zab").header("if-match", "\"6\"");
    let answer = Service::new().send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.problem(), (412, "precondition_failed"));
}

#[tokio::test]
async fn a_list_is_walked_by_its_links() {
    let service = Service::new();
    let mut path = "/v1/things?limit=2".to_owned();
    let first = service.get(&path).await;
    assert_eq!((&first.body["data"], &first.body["has_more"]), (&json!([1, 2]), &json!(true)));
    path = first.header("link").strip_prefix('<').unwrap().split('>').next().unwrap().to_owned();
    let last = service.get(&path).await;
    assert_eq!(last.body, json!({"data": [3], "next_cursor": null, "has_more": false}));
    assert_eq!(last.header("link"), "");
}

#[tokio::test]
async fn a_query_is_refused_like_a_body() {
    let service = Service::new();
    assert_eq!(service.get("/v1/things?limit=0").await.problem(), (422, "invalid"));
    assert_eq!(service.get("/v1/things?limit=x").await.problem(), (400, "malformed_query"));
    assert_eq!(service.get("/v1/things?cursor=a%00").await.problem(), (400, "malformed_query"));
    assert_eq!(service.get("/v1/things?page=2").await.problem(), (400, "malformed_query"));
    assert_eq!(service.get("/v1/things?cursor=x").await.problem(), (400, "invalid_cursor"));
}
