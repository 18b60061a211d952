//! What the log says of a request, and what it never says.

use crate::service::{Service, authorized, token};
use axum::{body::Body, http::Request};
use serde_json::{Value, json};
use std::{
    io,
    sync::{Arc, Mutex},
};
use tracing::instrument::WithSubscriber;
use tracing_subscriber::{filter::LevelFilter, fmt::MakeWriter};

/// The log of one test.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What is logged, at every level, while a request is answered.
async fn log_of(request: Request<Body>) -> (String, Vec<Value>) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().json().with_max_level(LevelFilter::TRACE).with_writer(log.clone());
    let service = Service::new();
    service.send(request).with_subscriber(subscriber.finish()).await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (text, lines)
}

#[tokio::test]
async fn a_request_has_one_line_that_says_who_did_what() {
    let request = authorized(Request::get("/v1/users?secret=7"), &token(&[])).header("x-request-id", "theirs");
    let traced = request.header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let (_, lines) = log_of(traced.body(Body::empty()).unwrap()).await;
    let lines: Vec<_> = lines.iter().filter(|line| line["target"] == "request").collect();
    let [line] = lines[..] else { panic!("{lines:?}") };
    let fields = &line["fields"];
    assert_eq!(
        (&fields["method"], &fields["route"], &fields["status"]),
        (&json!("GET"), &json!("/v1/users"), &json!(200))
    );
    assert_eq!(fields["principal"], "usr_01jhs3n5c8fq7t2v9w4x6y8zab");
    assert_eq!(fields["org"], "org_01jhs3n5c8fq7t2v9w4x6y8zab");
    assert_eq!(line["span"]["client_request_id"], "theirs");
    assert_eq!(line["span"]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[tokio::test]
async fn a_failed_request_is_logged_once_with_its_cause() {
    let (_, lines) = log_of(Request::get("/v1/panics").body(Body::empty()).unwrap()).await;
    let errors: Vec<_> = lines.iter().filter(|line| line["level"] == "ERROR").collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0]["fields"]["cause"], "a panic: the secret cause");
    assert!(errors[0]["span"]["request_id"].as_str().unwrap().starts_with("req_"));
}

#[tokio::test]
async fn no_level_logs_a_token_a_body_or_a_query() {
    let key = "the-idempotency-key";
    let request =
        authorized(Request::post("/v1/things?secret=in-the-query"), &token(&[("jti", json!("in-the-token"))]));
    let request = request.header("content-type", "application/json").header("idempotency-key", key);
    let (text, _) = log_of(request.body(Body::from(r#"{"name": "in-the-body"}"#)).unwrap()).await;
    assert!(text.contains("/v1/things"));
    for secret in [key, "in-the-query", "in-the-token", "in-the-body"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
