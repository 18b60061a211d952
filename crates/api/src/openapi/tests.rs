//! What a finished document must have.

use super::*;
use serde_json::{Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

#[derive(serde::Deserialize, ToSchema)]
struct ThingRequest {
    #[allow(dead_code, reason = "only described")]
    name: String,
}

/// Make a thing
#[utoipa::path(post, path = "/v1/things/{id}", operation_id = "create_thing", tag = "things",
    request_body = ThingRequest, params(("id" = String, Path), Idempotency, IfMatch),
    responses((status = 201, description = "Made"), (status = 409, description = "name_taken")),
    security(("access_token" = ["users:read"])))]
async fn create_thing() {}

/// See things
#[utoipa::path(get, path = "/v1/things", operation_id = "list_things", tag = "things",
    responses((status = 200, description = "Things")))]
async fn list_things() {}

fn document() -> Value {
    let routes = OpenApiRouter::<()>::new().routes(routes!(create_thing)).routes(routes!(list_things));
    let document =
        finish(routes.merge(crate::health::routes(crate::Health::new("1", types::Clock::system()))).to_openapi());
    serde_json::to_value(document).unwrap()
}

fn statuses(operation: &Value) -> Vec<&str> {
    operation["responses"].as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_operation_describes_the_problems_of_its_kind() {
    let document = document();
    let create = &document["paths"]["/v1/things/{id}"]["post"];
    let all = ["201", "400", "401", "403", "404", "409", "412", "413", "415", "422", "429", "503"];
    assert_eq!(statuses(create), all);
    assert_eq!(statuses(&document["paths"]["/v1/things"]["get"]), ["200", "429", "503"]);
    assert_eq!(statuses(&document["paths"]["/health/live"]["get"]), ["200"]);
    assert_eq!(create["responses"]["401"], json!({"$ref": "#/components/responses/Unauthenticated"}));
}

#[test]
fn a_failure_told_in_words_has_a_problem_as_its_body() {
    let document = document();
    let conflict = &document["paths"]["/v1/things/{id}"]["post"]["responses"]["409"];
    assert_eq!(conflict["description"], "name_taken");
    let schema = &conflict["content"]["application/problem+json"]["schema"]["$ref"];
    assert_eq!(schema, "#/components/schemas/Problem");
    let members = &document["components"]["schemas"]["Problem"]["properties"];
    assert!(members["request_id"].is_object() && members["type"].is_object(), "{members}");
    assert!(document["components"]["schemas"]["FieldError"].is_object());
}

#[test]
fn callers_permission_and_limits_are_shown() {
    let document = document();
    let create = &document["paths"]["/v1/things/{id}"]["post"];
    assert_eq!(create["security"], json!([{"access_token": ["users:read"]}]));
    assert_eq!(create["x-callers"], json!(["session"]));
    assert_eq!(document["paths"]["/v1/things"]["get"]["x-limits"], json!(["address"]));
    assert_eq!(document["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
    assert_eq!(document["tags"], json!([{"name": "health"}, {"name": "things"}]));
}
