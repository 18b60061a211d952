//! Types and resources as a client sees them, on a real database, behind tokens that say who they are.

use crate::world::{Answer, World};
use ::http::StatusCode;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};

fn ticket() -> Value {
    json!({
        "name": "ticket",
        "schema": {"type": "object", "required": ["title"], "properties": {"title": {"type": "string", "maxLength": 100}}},
        "indexed": [{"field": "priority", "type": "number"}, {"field": "who.name", "type": "text"}, {"field": "due", "type": "time"}],
    })
}

async fn with_tickets(documents: &[Value]) -> (World, Vec<String>) {
    let world = World::new().await;
    world.admin("POST", "/v1/resource-types", ticket()).await.expect(StatusCode::CREATED);
    let mut ids = vec![];
    for document in documents {
        let made = world.member("POST", "/v1/resources", json!({"type": "ticket", "document": document})).await;
        ids.push(made.expect(StatusCode::CREATED)["id"].as_str().unwrap().to_owned());
    }
    (world, ids)
}

fn titles(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|item| item["document"]["title"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_resource_lives_from_create_to_delete() {
    let (world, _) = with_tickets(&[]).await;
    let made = world
        .member("POST", "/v1/resources", json!({"type": "ticket", "document": {"title": "a", "x": {"y": 1}}}))
        .await;
    assert_eq!(made.header("etag"), "\"1\"");
    let path = made.header("location").to_owned();
    assert_eq!(made.expect(StatusCode::CREATED)["type"], "ticket");
    let read = world.viewer("GET", &path).await;
    assert_eq!(read.header("etag"), "\"1\"");
    assert_eq!(read.expect(StatusCode::OK)["document"], json!({"title": "a", "x": {"y": 1}}));
    let patched = world.member("PATCH", &path, json!({"document": {"x": {"y": null, "z": 2}}})).await;
    assert_eq!(patched.expect(StatusCode::OK)["document"], json!({"title": "a", "x": {"z": 2}}));
    let replaced = world.member("PUT", &path, json!({"document": {"title": "b"}})).await;
    assert_eq!(replaced.expect(StatusCode::OK)["version"], 3);
    world.member("DELETE", &path, Value::Null).await.expect(StatusCode::NO_CONTENT);
    for gone in [world.viewer("GET", &path).await, world.member("DELETE", &path, Value::Null).await] {
        gone.problem(StatusCode::NOT_FOUND, "not_found");
    }
    world
        .expect_events(&[
            "resource_type.created",
            "resource.created",
            "resource.updated",
            "resource.updated",
            "resource.deleted",
        ])
        .await;
}

#[tokio::test]
async fn a_change_to_a_version_that_is_not_current_is_refused() {
    let (world, ids) = with_tickets(&[json!({"title": "a"})]).await;
    let path = format!("/v1/resources/{}", ids[0]);
    let change = json!({"document": {"title": "b"}});
    world.conditional("PUT", &path, "\"1\"", change.clone()).await.expect(StatusCode::OK);
    for method in ["PUT", "PATCH", "DELETE"] {
        let refused = world.conditional(method, &path, "\"1\"", change.clone()).await;
        refused.problem(StatusCode::PRECONDITION_FAILED, "precondition_failed");
    }
    world.conditional("DELETE", &path, "\"2\"", Value::Null).await.expect(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_document_that_does_not_fit_is_refused_with_every_fault() {
    let (world, ids) = with_tickets(&[json!({"title": "a"})]).await;
    let unfit = json!({"type": "ticket", "document": {"title": 7, "priority": "high", "due": "soon"}});
    let refused =
        world.member("POST", "/v1/resources", unfit).await.problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    let pointers: Vec<_> =
        refused["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/document/title", "/document/priority", "/document/due"]);
    let path = format!("/v1/resources/{}", ids[0]);
    let refused = world.member("PATCH", &path, json!({"document": {"title": null}})).await;
    refused.problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    let refused = world.member("POST", "/v1/resources", json!({"type": "other", "document": {}})).await;
    assert_eq!(refused.problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid")["errors"][0]["pointer"], "/type");
}

#[tokio::test]
async fn lists_filter_and_sort_by_a_declared_field_page_by_page() {
    let documents: Vec<_> = (0..7)
        .map(|n| json!({"title": format!("t{n}"), "priority": n % 3, "who": {"name": (if n % 2 == 0 { "ada" } else { "bob, jr" })}, "due": format!("2025-01-0{}T00:00:00Z", 7 - n)}))
        .chain([json!({"title": "bare"})])
        .collect();
    let (world, _) = with_tickets(&documents).await;
    for (query, want) in [
        ("", &["t0", "t1", "t2", "t3", "t4", "t5", "t6", "bare"][..]),
        ("&sort=-id", &["bare", "t6", "t5", "t4", "t3", "t2", "t1", "t0"]),
        ("&filter=priority:eq:0", &["t0", "t3", "t6"]),
        ("&filter=priority:eq:0&sort=-id", &["t6", "t3", "t0"]),
        ("&filter=priority:gt:0", &["t1", "t4", "t2", "t5"]),
        ("&filter=priority:gte:0,priority:lt:2&sort=-priority", &["t4", "t1", "t6", "t3", "t0"]),
        ("&filter=priority:lte:1&sort=id", &["t0", "t1", "t3", "t4", "t6"]),
        ("&filter=who.name:eq:bob,%20jr", &["t1", "t3", "t5"]),
        ("&sort=who.name", &["t0", "t2", "t4", "t6", "t1", "t3", "t5"]),
        ("&sort=due", &["t6", "t5", "t4", "t3", "t2", "t1", "t0"]),
        ("&filter=due:gte:2025-01-03T00:00:00Z,due:lt:2025-01-05T00:00:00Z&sort=-due", &["t3", "t4"]),
    ] {
        let mut seen = vec![];
        let mut path = format!("/v1/resources?type=ticket&limit=2{query}");
        loop {
            let page = world.viewer("GET", &path).await.expect(StatusCode::OK);
            seen.extend(titles(&page).into_iter().map(ToOwned::to_owned));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/v1/resources?type=ticket&limit=2{query}&cursor={cursor}");
        }
        assert_eq!(seen, want, "{query}");
    }
    let page = world.viewer("GET", "/v1/resources?sort=-id&limit=1").await.expect(StatusCode::OK);
    assert_eq!((titles(&page), &page["has_more"]), (vec!["bare"], &json!(true)));
}

#[tokio::test]
async fn a_list_that_no_index_answers_is_refused() {
    let (world, _) = with_tickets(&[]).await;
    for query in [
        "type=ticket&sort=title",
        "type=ticket&filter=title:eq:a",
        "type=ticket&filter=priority:eq:1&sort=due",
        "sort=priority",
    ] {
        let refused = world.viewer("GET", &format!("/v1/resources?{query}")).await;
        refused.problem(StatusCode::UNPROCESSABLE_ENTITY, "not_indexed");
    }
    let refused = world.viewer("GET", "/v1/resources?type=ticket&filter=priority:eq:high").await;
    refused.problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    let page = world.viewer("GET", "/v1/resources?type=ticket&cursor=AAAA").await;
    page.problem(StatusCode::BAD_REQUEST, "invalid_cursor");
}

#[tokio::test]
async fn other_declared_fields_index_what_exists() {
    let (world, ids) = with_tickets(&[json!({"title": "a", "n": 1}), json!({"title": "b", "n": 2})]).await;
    let mut definition = json!({"schema": {}, "indexed": [{"field": "n", "type": "number"}]});
    world
        .admin("PUT", "/v1/resource-types/ticket", definition.clone())
        .await
        .problem(StatusCode::PRECONDITION_REQUIRED, "precondition_required");
    let put = async |etag: &str, definition: &Value| {
        world.admin_conditional("PUT", "/v1/resource-types/ticket", etag, definition.clone()).await
    };
    put("\"7\"", &definition).await.problem(StatusCode::PRECONDITION_FAILED, "precondition_failed");
    assert_eq!(put("\"1\"", &definition).await.expect(StatusCode::OK)["version"], 2);
    let page = world.viewer("GET", "/v1/resources?type=ticket&sort=-n").await.expect(StatusCode::OK);
    assert_eq!(titles(&page), ["b", "a"]);
    let gone = world.viewer("GET", "/v1/resources?type=ticket&sort=priority").await;
    gone.problem(StatusCode::UNPROCESSABLE_ENTITY, "not_indexed");
    // One that an existing document does not fit is refused, and its id told.
    definition["indexed"] = json!([{"field": "title", "type": "time"}]);
    let refused = put("\"2\"", &definition).await.problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert!(refused["errors"][0]["detail"].as_str().unwrap().contains(&ids[0]), "{refused}");
    // The old schema is forgotten by then: a title is needed no longer.
    world
        .member("POST", "/v1/resources", json!({"type": "ticket", "document": {"n": 3}}))
        .await
        .expect(StatusCode::CREATED);
}

#[tokio::test]
async fn a_type_is_checked_listed_and_deleted_when_nothing_needs_it() {
    let (world, ids) = with_tickets(&[json!({"title": "a"})]).await;
    let taken = world.admin("POST", "/v1/resource-types", ticket()).await;
    taken.problem(StatusCode::CONFLICT, "name_taken");
    let wrong =
        json!({"name": "No", "schema": {"$ref": "https://example.com"}, "indexed": [{"field": "-", "type": "text"}]});
    let refused =
        world.admin("POST", "/v1/resource-types", wrong).await.problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(refused["errors"].as_array().unwrap().len(), 3, "{refused}");
    let page = world.viewer("GET", "/v1/resource-types").await.expect(StatusCode::OK);
    assert_eq!(page["data"][0]["name"], "ticket");
    let path = "/v1/resource-types/ticket";
    world.admin("DELETE", path, Value::Null).await.problem(StatusCode::CONFLICT, "still_in_use");
    world.member("DELETE", &format!("/v1/resources/{}", ids[0]), Value::Null).await.expect(StatusCode::NO_CONTENT);
    world.admin("DELETE", path, Value::Null).await.expect(StatusCode::NO_CONTENT);
    world.viewer("GET", path).await.problem(StatusCode::NOT_FOUND, "not_found");
    // The name is free again, and names another type.
    world.admin("POST", "/v1/resource-types", ticket()).await.expect(StatusCode::CREATED);
    assert_eq!(titles(&world.viewer("GET", "/v1/resources?type=ticket").await.expect(StatusCode::OK)), [""; 0]);
}

#[tokio::test]
async fn what_no_type_can_be_called_is_no_type() {
    let (world, _) = with_tickets(&[]).await;
    for name in ["%00", "Ticket", "ticket%20", "-"] {
        world.viewer("GET", &format!("/v1/resource-types/{name}")).await.problem(StatusCode::NOT_FOUND, "not_found");
    }
    let unknown = world.viewer("GET", "/v1/resources?type=Ticket").await;
    unknown.problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
}

#[tokio::test]
async fn another_organization_sees_and_changes_nothing() {
    let (world, ids) = with_tickets(&[json!({"title": "a"})]).await;
    let path = format!("/v1/resources/{}", ids[0]);
    for (method, path, body) in [
        ("GET", &*path, Value::Null),
        ("PUT", &path, json!({"document": {}})),
        ("PATCH", &path, json!({"document": {}})),
        ("DELETE", &path, Value::Null),
        ("GET", "/v1/resource-types/ticket", Value::Null),
        ("DELETE", "/v1/resource-types/ticket", Value::Null),
    ] {
        world.stranger(method, path, body).await.problem(StatusCode::NOT_FOUND, "not_found");
    }
    let page = world.stranger("GET", "/v1/resources", Value::Null).await.expect(StatusCode::OK);
    assert_eq!(titles(&page), [""; 0]);
    // The same name is another type there.
    world.stranger("POST", "/v1/resource-types", ticket()).await.expect(StatusCode::CREATED);
}

#[tokio::test]
async fn the_same_idempotency_key_makes_one_resource() {
    let (world, _) = with_tickets(&[]).await;
    let body = json!({"type": "ticket", "document": {"title": "once"}});
    let create =
        async || world.send("member", "POST", "/v1/resources", &[("idempotency-key", "k1")], body.clone()).await;
    let (first, second): (Answer, Answer) = (create().await, create().await);
    assert_eq!(second.header("idempotency-replayed"), "true");
    assert_eq!(first.expect(StatusCode::CREATED)["id"], second.expect(StatusCode::CREATED)["id"]);
    let page = world.viewer("GET", "/v1/resources?type=ticket").await.expect(StatusCode::OK);
    assert_eq!(titles(&page), ["once"]);
}

#[tokio::test]
async fn a_viewer_may_not_write() {
    let (world, _) = with_tickets(&[]).await;
    let refused =
        world.send("viewer", "POST", "/v1/resources", &[], json!({"type": "ticket", "document": {"title": "a"}})).await;
    refused.problem(StatusCode::FORBIDDEN, "forbidden");
}

#[tokio::test]
async fn a_resource_made_while_the_type_changes_is_indexed_as_the_type_then_says() {
    let (world, _) = with_tickets(&[]).await;
    let create =
        |n: i32| world.member("POST", "/v1/resources", json!({"type": "ticket", "document": {"title": "t", "n": n}}));
    let creates = (0..40).map(async |n| {
        create(n).await.expect(StatusCode::CREATED);
    });
    let definition = json!({"schema": {}, "indexed": [{"field": "n", "type": "number"}]});
    let change = async {
        let changed = world.admin_conditional("PUT", "/v1/resource-types/ticket", "\"1\"", definition).await;
        changed.expect(StatusCode::OK);
    };
    join(join_all(creates), change).await;
    let page = world.viewer("GET", "/v1/resources?type=ticket&sort=n").await.expect(StatusCode::OK);
    assert_eq!(titles(&page).len(), 40);
}
