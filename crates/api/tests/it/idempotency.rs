//! What is sent twice happens once: on a real database, because its locks and snapshots decide.

use crate::service::{Answer, Service, authorized, token};
use axum::{body::Body, http::Request};
use futures_util::future::join_all;
use serde_json::json;

async fn create(service: &Service, token: &str, key: &str, body: &'static str) -> Answer {
    let request = authorized(Request::post("/v1/things"), token).header("content-type", "application/json");
    service.send(request.header("idempotency-key", key).body(Body::from(body)).unwrap()).await
}

const BODY: &str = r#"{"name": "a"}"#;

#[tokio::test]
async fn the_second_answer_is_the_first_one_again() {
    let (service, _database) = Service::on_database().await;
    let first = create(&service, &token(&[]), "k", BODY).await;
    let second = create(&service, &token(&[]), "k", BODY).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, ""));
    assert_eq!((second.status.as_u16(), second.header("idempotency-replayed")), (201, "true"));
    assert_eq!(first.body, second.body);
    assert_eq!(first.header("location"), second.header("location"));
    assert_eq!(second.header("etag"), "\"1\"");
}

#[tokio::test]
async fn a_key_belongs_to_one_request_of_one_person_in_one_organization() {
    let (service, _database) = Service::on_database().await;
    let first = create(&service, &token(&[]), "k", BODY).await;
    let other_body = create(&service, &token(&[]), "k", r#"{"name": "b"}"#).await;
    assert_eq!(other_body.problem(), (422, "idempotency_mismatch"));
    let bob = token(&[("sub", json!("usr_01jhs3n5c8fq7t2v9w4x6y8zzz"))]);
    let elsewhere = token(&[("org", json!("org_01jhs3n5c8fq7t2v9w4x6y8zzz"))]);
    for other in [bob, elsewhere] {
        let answer = create(&service, &other, "k", BODY).await;
        assert_eq!((answer.status.as_u16(), answer.header("idempotency-replayed")), (201, ""));
        assert_ne!(answer.body["id"], first.body["id"]);
    }
}

#[tokio::test]
async fn of_racing_twins_one_happens() {
    let (service, database) = Service::on_database().await;
    let token = token(&[]);
    let answers = join_all((0..20).map(|_| create(&service, &token, "k", BODY))).await;
    let mut made: Vec<_> =
        answers.iter().filter(|answer| answer.status == 201).map(|answer| &answer.body["id"]).collect();
    made.dedup();
    assert_eq!(made.len(), 1);
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.problem() == (409, "in_progress")));
    let rows = database.client("postgres").await.query_one("SELECT count(*) FROM idempotency_keys", &[]).await.unwrap();
    assert_eq!(rows.get::<_, i64>(0), 1);
}

#[tokio::test]
async fn an_answer_that_is_being_repeated_to_another_can_be_repeated_meanwhile() {
    let (service, database) = Service::on_database().await;
    let first = create(&service, &token(&[]), "k", BODY).await;
    let other = database.client("postgres").await;
    let digest: Vec<u8> = other.query_one("SELECT key_digest FROM idempotency_keys", &[]).await.unwrap().get(0);
    let lock = i64::from_le_bytes(digest[digest.len() - 8..].try_into().unwrap());
    other.query_one("SELECT pg_advisory_lock($1)", &[&lock]).await.unwrap();
    let second = create(&service, &token(&[]), "k", BODY).await;
    assert_eq!((second.status.as_u16(), second.header("idempotency-replayed")), (201, "true"));
    assert_eq!(first.body, second.body);
    assert_eq!(create(&service, &token(&[]), "k", r#"{"name": "b"}"#).await.problem(), (422, "idempotency_mismatch"));
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let (service, _database) = Service::on_database().await;
    assert_eq!(create(&service, &token(&[]), "k", r#"{"name": ""}"#).await.problem(), (422, "invalid"));
    assert_eq!(create(&service, &token(&[]), "k", BODY).await.status, 201);
}

#[tokio::test]
async fn the_table_holds_neither_key_nor_answer_in_clear() {
    let (service, database) = Service::on_database().await;
    create(&service, &token(&[]), "a-key-of-a-client", r#"{"name": "Zuse"}"#).await;
    let client = database.client("postgres").await;
    let query = "SELECT position($1 IN key_digest || body_digest || sealed_answer || \
                 convert_to(principal || operation, 'UTF8')) FROM idempotency_keys";
    for secret in ["a-key-of-a-client", "Zuse"] {
        let row = client.query_one(query, &[&secret.as_bytes()]).await.unwrap();
        assert_eq!(row.get::<_, i32>(0), 0, "{secret}");
    }
}
