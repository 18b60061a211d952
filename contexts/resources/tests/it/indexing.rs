//! A type with many documents gets other indexed fields: a job indexes them while everything goes on.

use crate::world::World;
use ::http::StatusCode;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use std::{
    cell::Cell,
    time::{Duration, Instant},
};

const TYPE: &str = "/v1/resource-types/ticket";
const DOCUMENTS: i64 = 3_000;

/// So many documents with a unique title, a number that repeats, and values of the field that is indexed already.
const ROWS: &str = "
    INSERT INTO resources (org_id, id, type_id, document, created_by, created_at, updated_at)
    SELECT org_id, ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, id,
        jsonb_build_object('title', 't' || n, 'priority', n % 10, 'n', n * 7 % 1000), gen_random_uuid(), now(), now()
    FROM resource_types, generate_series(1, 3000) n;
    INSERT INTO resource_values (org_id, type_id, resource_id, field, number_value)
    SELECT org_id, type_id, id, 'priority', (document->>'priority')::float8 FROM resources";

fn definition(fields: &[(&str, &str)]) -> Value {
    let indexed: Vec<_> = fields.iter().map(|(field, kind)| json!({"field": field, "type": kind})).collect();
    json!({"schema": {"type": "object"}, "indexed": indexed})
}

/// The id of a document that [`ROWS`] made.
fn id(n: u32) -> String {
    let uuid: types::Uuid = format!("00000000-0000-7000-8000-{n:012}").parse().unwrap();
    types::ResourceId(uuid).to_string()
}

async fn sql(world: &World, text: &str) {
    world.database.client("postgres").await.batch_execute(text).await.unwrap();
}

async fn with_many_tickets() -> World {
    let world = World::new().await;
    let mut ticket = definition(&[("priority", "number")]);
    ticket["name"] = json!("ticket");
    world.admin("POST", "/v1/resource-types", ticket).await.expect(StatusCode::CREATED);
    sql(&world, ROWS).await;
    world
}

async fn put(world: &World, etag: &str, fields: &[(&str, &str)]) -> Value {
    world.admin_conditional("PUT", TYPE, etag, definition(fields)).await.expect(StatusCode::OK)
}

/// The titles of a whole list.
async fn all(world: &World, query: &str) -> Vec<String> {
    let (mut titles, mut cursor) = (vec![], String::new());
    loop {
        let path = format!("/v1/resources?type=ticket&limit=200&{query}{cursor}");
        let page = world.viewer("GET", &path).await.expect(StatusCode::OK);
        let data = page["data"].as_array().unwrap();
        titles.extend(data.iter().map(|one| one["document"]["title"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { return titles };
        cursor = format!("&cursor={next}");
    }
}

/// What the list by a number must be, from the documents themselves.
async fn expected(world: &World, field: &str) -> Vec<String> {
    let select = format!(
        "SELECT document->>'title' FROM resources
         WHERE deleted_at IS NULL AND document ? '{field}' ORDER BY (document->>'{field}')::float8, id"
    );
    let rows = world.database.client("postgres").await.query(&select, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn states(of: &Value) -> Vec<&str> {
    of["indexed"].as_array().unwrap().iter().map(|field| field["state"].as_str().unwrap()).collect()
}

async fn refusal(world: &World, query: &str) -> String {
    let refused = world.viewer("GET", &format!("/v1/resources?type=ticket&{query}")).await;
    refused.problem(StatusCode::UNPROCESSABLE_ENTITY, "not_indexed")["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_list_by_a_new_field_is_complete_whatever_was_written_while_the_job_ran() {
    let world = with_many_tickets().await;
    let changed = put(&world, "\"1\"", &[("n", "number"), ("priority", "number")]).await;
    assert_eq!((states(&changed), changed["version"].as_i64()), (vec!["building", "ready"], Some(2)));
    let job = &changed["indexing_job_id"];
    assert!(refusal(&world, "sort=n").await.contains(job.as_str().unwrap()), "the job is named");
    assert_eq!(all(&world, "sort=priority").await.len(), 3_000, "what was ready stays usable");
    let worker = world.work();
    let write = async |n: u32| {
        let change = json!({"document": {"n": n % 13, "priority": 3}});
        world.member("PATCH", &format!("/v1/resources/{}", id(n * 70)), change).await.expect(StatusCode::OK);
        let document = json!({"title": format!("new {n}"), "n": n, "priority": n});
        let made = world.member("POST", "/v1/resources", json!({"type": "ticket", "document": document})).await;
        made.expect(StatusCode::CREATED);
        let gone = world.member("DELETE", &format!("/v1/resources/{}", id(n * 70 + 1)), Value::Null).await;
        gone.expect(StatusCode::NO_CONTENT);
    };
    let writes = async {
        for n in 1..=10 {
            join_all((n * 4 - 3..=n * 4).map(write)).await;
        }
    };
    let (job, ()) = join(world.ended(job), writes).await;
    assert_eq!((job["state"].as_str(), &job["errors"]), (Some("succeeded"), &json!([])), "{job}");
    assert_eq!(job["result"], TYPE);
    for field in ["n", "priority"] {
        assert_eq!(all(&world, &format!("sort={field}")).await, expected(&world, field).await, "{field}");
    }
    let after = world.viewer("GET", TYPE).await;
    assert_eq!(after.header("etag"), "\"2\"", "nobody wrote the type");
    let after = after.expect(StatusCode::OK);
    assert_eq!((states(&after), &after["indexing_job_id"]), (vec!["ready", "ready"], &Value::Null));
    worker.stop.cancel();
    worker.task.await.unwrap();
}

/// Waits until so many sessions of this database wait for each other, or until something else is so.
async fn until_waiting(world: &World, sessions: i64, or: impl Fn() -> bool) {
    let client = world.database.client("postgres").await;
    let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let begun = Instant::now();
    while !or() && client.query_one(count, &[]).await.unwrap().get::<_, i64>(0) < sessions {
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody waits");
    }
}

#[tokio::test]
async fn a_value_that_goes_while_its_batch_is_written_stays_away() {
    let world = with_many_tickets().await;
    let mut somebody = world.database.client("postgres").await;
    let lock = somebody.transaction().await.unwrap();
    // The batch has read its documents by the time it comes to this value.
    lock.batch_execute("SELECT FROM resource_values ORDER BY resource_id LIMIT 1 FOR UPDATE").await.unwrap();
    let _worker = world.work();
    let job = put(&world, "\"1\"", &[("n", "number"), ("priority", "number")]).await["indexing_job_id"].clone();
    until_waiting(&world, 1, || false).await;
    let is_changed = Cell::new(false);
    let change = async {
        let without = json!({"document": {"n": null}});
        world.member("PATCH", &format!("/v1/resources/{}", id(20)), without).await.expect(StatusCode::OK);
        is_changed.set(true);
    };
    let release = async {
        until_waiting(&world, 2, || is_changed.get()).await;
        lock.rollback().await.unwrap();
    };
    join(change, release).await;
    assert_eq!(world.ended(&job).await["state"], "succeeded");
    assert_eq!(all(&world, "sort=n").await, expected(&world, "n").await);
}

#[tokio::test]
async fn two_workers_do_a_job_once() {
    let world = with_many_tickets().await;
    let other = world.beside();
    let workers = [world.work(), other.work()];
    let job = put(&world, "\"1\"", &[("n", "number")]).await["indexing_job_id"].clone();
    let job = world.ended(&job).await;
    assert_eq!((job["state"].as_str(), job["progress"]["done"].as_i64()), (Some("succeeded"), Some(DOCUMENTS)));
    assert_eq!(all(&world, "sort=n").await, expected(&world, "n").await);
    for worker in workers {
        worker.stop.cancel();
        worker.task.await.unwrap();
    }
}

#[tokio::test]
async fn a_job_whose_worker_died_goes_on_where_it_was() {
    let world = with_many_tickets().await;
    let mut somebody = world.database.client("postgres").await;
    let lock = somebody.transaction().await.unwrap();
    lock.batch_execute("SELECT FROM resources WHERE document->>'title' = 't1700' FOR UPDATE").await.unwrap();
    let worker = world.work();
    let job = put(&world, "\"1\"", &[("n", "number")]).await["indexing_job_id"].clone();
    let is_half_done = |job: &Value| job["progress"] == json!({"done": 1_500, "total": 3_000});
    assert_eq!(world.job(&job, is_half_done).await["state"], "running");
    worker.task.abort();
    assert!(worker.task.await.unwrap_err().is_cancelled());
    lock.rollback().await.unwrap();
    assert!(refusal(&world, "sort=n").await.contains("being built"));
    // As if the time of the dead worker's lease had passed.
    sql(&world, "UPDATE jobs SET lease_until = now()").await;
    let heir = world.beside();
    let _worker = heir.work();
    let job = world.ended(&job).await;
    // Had it begun again, more would have been done than there is.
    assert_eq!((job["state"].as_str(), job["progress"]["done"].as_i64()), (Some("succeeded"), Some(DOCUMENTS)));
    assert_eq!(all(&world, "sort=n").await, expected(&world, "n").await);
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_hands_the_job_over_after_its_batch() {
    let world = with_many_tickets().await;
    let mut somebody = world.database.client("postgres").await;
    let lock = somebody.transaction().await.unwrap();
    lock.batch_execute("SELECT FROM resources WHERE document->>'title' = 't700' FOR UPDATE").await.unwrap();
    let worker = world.work();
    let job = put(&world, "\"1\"", &[("n", "number")]).await["indexing_job_id"].clone();
    world.job(&job, |job| job["progress"]["done"] == 500).await;
    worker.stop.cancel();
    lock.rollback().await.unwrap();
    worker.task.await.unwrap();
    // Either it was in the batch, or had not begun it.
    let left = world.job(&job, |_| true).await;
    assert!(left["state"] == "running" && left["progress"]["done"].as_i64() <= Some(1_000), "{left}");
    let free = "SELECT lease_until <= clock_timestamp() FROM jobs";
    assert!(world.database.client("postgres").await.query_one(free, &[]).await.unwrap().get::<_, bool>(0));
    let _worker = world.beside().work();
    assert_eq!(world.ended(&job).await["progress"]["done"], DOCUMENTS);
}

#[tokio::test]
async fn documents_that_do_not_fit_are_named_and_the_field_is_built_once_they_do() {
    let world = with_many_tickets().await;
    let spoil = "UPDATE resources SET document = document || '{\"n\": \"many\"}' WHERE right(id::text, 3)::int < 50";
    sql(&world, spoil).await;
    let _worker = world.work();
    let fields = [("n", "number"), ("priority", "number")];
    let job = put(&world, "\"1\"", &fields).await["indexing_job_id"].clone();
    let failed = world.ended(&job).await;
    assert_eq!((failed["state"].as_str(), failed["error_count"].as_i64()), (Some("failed"), Some(150)), "{failed}");
    assert_eq!((failed["errors"].as_array().unwrap().len(), &failed["result"]), (100, &Value::Null));
    let first = json!({"item": id(1), "pointer": "/document/n", "code": "indexed", "detail": "is indexed as number"});
    assert_eq!(failed["errors"][0], first);
    let detail = refusal(&world, "filter=n:eq:7").await;
    assert!(detail.contains(job.as_str().unwrap()) && detail.contains("do not fit"), "{detail}");
    let of = world.viewer("GET", TYPE).await.expect(StatusCode::OK);
    assert_eq!((states(&of), &of["indexing_job_id"]), (vec!["failed", "ready"], &job));
    assert_eq!(all(&world, "sort=priority").await.len(), 3_000, "the other field is as it was");
    sql(&world, "UPDATE resources SET document = document || '{\"n\": 1}' WHERE document->>'n' = 'many'").await;
    let again = put(&world, "\"2\"", &fields).await;
    assert_eq!(states(&again), ["building", "ready"]);
    assert_ne!(again["indexing_job_id"], job);
    assert_eq!(world.ended(&again["indexing_job_id"]).await["state"], "succeeded");
    assert_eq!(all(&world, "sort=n").await, expected(&world, "n").await);
}

#[tokio::test]
async fn other_fields_end_the_job_of_the_ones_before_and_another_schema_does_not() {
    let world = with_many_tickets().await;
    let first = put(&world, "\"1\"", &[("n", "text")]).await["indexing_job_id"].clone();
    let second = put(&world, "\"2\"", &[("n", "number")]).await["indexing_job_id"].clone();
    let superseded = world.ended(&first).await;
    assert_eq!((superseded["state"].as_str(), &superseded["started_at"]), (Some("failed"), &Value::Null));
    assert_eq!(superseded["errors"][0]["code"], "superseded");
    let mut only_schema = definition(&[("n", "number")]);
    only_schema["schema"]["required"] = json!(["title"]);
    let kept = world.admin_conditional("PUT", TYPE, "\"3\"", only_schema).await.expect(StatusCode::OK);
    assert_eq!((states(&kept), &kept["indexing_job_id"]), (vec!["building"], &second));
    // And once more, while a worker is at it.
    let _worker = world.work();
    world.job(&second, |job| job["progress"]["done"].as_i64() > Some(0)).await;
    let third = put(&world, "\"4\"", &[("n", "number"), ("priority", "number")]).await["indexing_job_id"].clone();
    assert_eq!(world.ended(&third).await["state"], "succeeded");
    assert!(!world.ended(&second).await["finished_at"].is_null());
    for field in ["n", "priority"] {
        assert_eq!(all(&world, &format!("sort={field}")).await, expected(&world, field).await, "{field}");
    }
}

#[tokio::test]
async fn a_process_that_remembers_the_old_definition_neither_lists_nor_writes_by_it() {
    let world = with_many_tickets().await;
    let other = world.beside();
    assert_eq!(all(&other, "filter=priority:eq:1").await.len(), 300);
    let job = put(&world, "\"1\"", &[("priority", "text"), ("n", "number")]).await["indexing_job_id"].clone();
    let document = json!({"title": "late", "priority": "high", "n": -1});
    let made = other.member("POST", "/v1/resources", json!({"type": "ticket", "document": document})).await;
    // By the definition that it remembers, a text would not fit.
    made.expect(StatusCode::CREATED);
    let third = world.beside();
    assert!(refusal(&third, "sort=n").await.contains("being built"));
    assert!(refusal(&other, "sort=priority").await.contains("being built"));
    sql(
        &world,
        "UPDATE resources SET document = document || '{\"priority\": \"low\"}' WHERE document->>'title' <> 'late'",
    )
    .await;
    let worker = world.work();
    assert_eq!(world.ended(&job).await["state"], "succeeded");
    // Both remember that the fields are being built.
    assert_eq!(all(&third, "filter=n:lt:0").await, ["late"]);
    assert_eq!(all(&other, "filter=priority:gt:low").await.len(), 0);
    worker.stop.cancel();
    worker.task.await.unwrap();
    // And these that they are ready, while they no longer are.
    let (fourth, fifth) = (world.beside(), world.beside());
    assert_eq!(all(&fourth, "filter=n:lt:0").await, ["late"]);
    assert_eq!(all(&fifth, "filter=priority:eq:high").await, ["late"]);
    put(&world, "\"2\"", &[("n", "text")]).await;
    assert!(refusal(&fourth, "filter=n:lt:0").await.contains("being built"));
    assert!(refusal(&fifth, "filter=priority:eq:high").await.contains("not declared"));
}

#[tokio::test]
async fn a_job_is_seen_by_who_made_it_and_who_may_make_it() {
    let world = with_many_tickets().await;
    let id = put(&world, "\"1\"", &[("n", "number")]).await["indexing_job_id"].clone();
    let path = format!("/v1/jobs/{}", id.as_str().unwrap());
    let ask = async |token: &str| world.send(token, "GET", &path, &[], Value::Null).await;
    for token in ["admin", "owner"] {
        let job = ask(token).await.expect(StatusCode::OK);
        assert_eq!((job["state"].as_str(), &job["progress"]["total"]), (Some("queued"), &Value::Null));
    }
    for token in ["member", "viewer", "stranger"] {
        ask(token).await.problem(StatusCode::NOT_FOUND, "not_found");
    }
    // Who made it and has another role by now still sees what became of it.
    sql(&world, "UPDATE jobs SET created_by = lpad('1', 32, '0')::uuid").await;
    assert_eq!(ask("member").await.expect(StatusCode::OK)["id"], id);
    world.admin("GET", "/v1/jobs/job_1", Value::Null).await.problem(StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn a_job_that_cannot_be_done_keeps_no_other_from_its_turn() {
    let world = with_many_tickets().await;
    let broken = "INSERT INTO jobs (org_id, id, kind, input, needs, created_by, created_at)
        SELECT id, gen_random_uuid(), 'index_resources', '{}', '', gen_random_uuid(), now() FROM organizations";
    sql(&world, broken).await;
    let unknown = "INSERT INTO jobs (org_id, id, kind, input, needs, created_by, created_at)
        SELECT id, gen_random_uuid(), 'of a later version', '{}', '', gen_random_uuid(), now() FROM organizations";
    sql(&world, unknown).await;
    let job = put(&world, "\"1\"", &[("n", "number")]).await["indexing_job_id"].clone();
    let _worker = world.work();
    assert_eq!(world.ended(&job).await["state"], "succeeded");
    let left = "SELECT count(*) FROM jobs WHERE kind = 'of a later version' AND state = 'queued'";
    let left: i64 = world.database.client("postgres").await.query_one(left, &[]).await.unwrap().get(0);
    assert_eq!(left, 2, "no worker here knows how");
}

#[tokio::test]
async fn a_type_that_goes_ends_its_job() {
    let world = with_many_tickets().await;
    let job = put(&world, "\"1\"", &[("n", "number")]).await["indexing_job_id"].clone();
    sql(&world, "UPDATE resources SET deleted_at = now()").await;
    world.admin("DELETE", TYPE, Value::Null).await.expect(StatusCode::NO_CONTENT);
    let ended = world.ended(&job).await;
    assert_eq!((ended["state"].as_str(), ended["errors"][0]["code"].as_str()), (Some("failed"), Some("superseded")));
}
