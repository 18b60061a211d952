//! Who may, how often, from where; what every response carries.

use crate::service::{NOW, Service, authorized, token};
use api::Quotas;
use axum::{body::Body, http::Request};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn a_role_that_has_the_permission_passes() {
    let answer = Service::new().get_as("/v1/users", &token(&[])).await;
    assert_eq!((answer.status.as_u16(), answer.body), (200, json!("org_01jhs3n5c8fq7t2v9w4x6y8zab")));
}

#[tokio::test]
async fn who_is_refused_learns_why() {
    let service = Service::new();
    let none = service.get("/v1/users").await;
    assert_eq!(none.problem(), (401, "unauthenticated"));
    assert_eq!(none.header("www-authenticate"), "Bearer");
    assert_eq!(service.get_as("/v1/users", "garbage").await.problem(), (401, "unauthenticated"));
    let no_role = service.get_as("/v1/users", &token(&[("role", json!("nobody"))])).await;
    assert_eq!(no_role.problem(), (403, "forbidden"));
    assert_eq!(no_role.body["detail"], "this needs the permission users:read");
    let no_org = token(&[("org", Value::Null), ("role", Value::Null)]);
    assert_eq!(service.get_as("/v1/users", &no_org).await.problem(), (403, "no_organization"));
}

#[tokio::test]
async fn a_cached_token_ends_with_its_time() {
    let service = Service::new();
    let token = token(&[("exp", json!(NOW + 5))]);
    assert_eq!(service.get_as("/v1/users", &token).await.status, 200);
    service.app.clock.advance(Duration::from_secs(5));
    assert_eq!(service.get_as("/v1/users", &token).await.problem(), (401, "unauthenticated"));
}

#[tokio::test]
async fn an_absent_database_is_a_503_that_says_when_to_try_again() {
    let request = authorized(Request::post("/v1/things"), &token(&[])).header("content-type", "application/json");
    let request = request.header("idempotency-key", "1").body(Body::from(r#"{"name": "a"}"#)).unwrap();
    let answer = Service::new().send(request).await;
    assert_eq!(answer.problem(), (503, "unavailable"));
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn a_panic_is_a_500_without_its_cause() {
    let answer = Service::new().get("/v1/panics").await;
    assert_eq!(answer.problem(), (500, "internal"));
    assert!(!answer.body.to_string().contains("secret"), "{}", answer.body);
}

#[tokio::test]
async fn one_request_too_many_waits_nowhere_and_probes_are_answered_all_the_same() {
    let service = Service::with(Quotas { per_address: None, per_person: None }, &[]);
    let mut busy = futures_util::future::join_all((0..512).map(|_| service.get("/v1/never-ends")));
    assert!(futures_util::poll!(&mut busy).is_pending(), "each has its place now");
    let refused = service.get("/v1/things").await;
    assert_eq!((refused.problem(), refused.header("retry-after")), ((503, "overloaded"), "1"));
    assert_eq!(service.get("/health/live").await.status, 200);
    drop(busy);
    assert_eq!(service.get("/v1/never").await.status, 404, "their places are free again");
}

#[tokio::test]
async fn limits_of_an_address_and_of_a_person_are_told_and_kept() {
    let service = Service::with(Quotas { per_address: Some(3), per_person: Some(2) }, &[]);
    let first = service.get_as("/v1/users", &token(&[])).await;
    assert_eq!(first.header("ratelimit-policy"), "\"address\";q=3;w=60, \"person\";q=2;w=60");
    assert_eq!(first.header("ratelimit"), "\"address\";r=2;t=20, \"person\";r=1;t=30");
    assert_eq!(service.get_as("/v1/users", &token(&[])).await.status, 200);
    let third = service.get_as("/v1/users", &token(&[])).await;
    assert_eq!(third.problem(), (429, "limited"));
    assert_eq!(third.header("retry-after"), "30");
    let fourth = service.get("/v1/things").await;
    assert_eq!((fourth.problem(), fourth.header("retry-after")), ((429, "limited"), "20"));
    assert_eq!(service.get("/health/live").await.status, 200);
}

#[tokio::test]
async fn every_response_carries_the_security_headers() {
    for path in ["/v1/users", "/health/live", "/v1/nowhere", "/v1/panics"] {
        let answer = Service::new().get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert!(answer.header("x-request-id").starts_with("req_"), "{path}");
    }
}

#[tokio::test]
async fn other_origins_scripts_may_call_only_if_named() {
    let preflight = || {
        let request = Request::options("/v1/users").header("origin", "https://app.example");
        request.header("access-control-request-method", "GET").body(Body::empty()).unwrap()
    };
    assert_eq!(Service::new().send(preflight()).await.header("access-control-allow-origin"), "");
    let open = Service::with(Quotas::default(), &["https://app.example"]);
    assert_eq!(open.send(preflight()).await.header("access-control-allow-origin"), "https://app.example");
}

#[tokio::test]
async fn health_bodies_are_the_runbooks() {
    let service = Service::new();
    let live = service.get("/health/live").await;
    assert_eq!(live.body, json!({"status": "ok", "timestamp": "2025-01-17T14:00:00.000Z"}));
    let ready = service.get("/health/ready").await;
    let checks = json!({"database": "disconnected", "redis": "disabled", "elasticsearch": "disabled"});
    assert_eq!((ready.status.as_u16(), ready.body), (503, json!({"status": "not_ready", "checks": checks})));
    let full = service.get("/health").await;
    assert_eq!((full.status.as_u16(), &full.body["status"]), (503, &json!("unhealthy")));
    assert_eq!(full.body["services"]["redis"], json!({"status": "disabled", "latency": null}));
    assert!(full.body["metrics"]["memoryUsage"].is_u64() && full.body["uptime"].is_u64());
    let public = service.get("/v1/health").await;
    assert_eq!((&public.body["version"], &public.body["services"]["database"]), (&json!("1.2.3"), &json!("unhealthy")));
}

#[tokio::test]
async fn the_reference_is_served_without_anything_from_elsewhere() {
    let service = Service::new();
    let page = service.get("/docs").await;
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; script-src 'self'"));
    let html = page.body.as_str().unwrap();
    assert!(!html.contains("http:") && !html.contains("https:") && !html.contains("<style"), "{html}");
    for (path, kind) in [("/docs/docs.js", "text/javascript"), ("/docs/docs.css", "text/css")] {
        assert!(html.contains(path));
        assert!(service.get(path).await.header("content-type").starts_with(kind));
    }
    assert_eq!(service.get("/v1/openapi.json").await.body["info"]["title"], "Enterprise API Platform");
    assert!(service.get("/errors/last_owner").await.body.as_str().unwrap().starts_with("# last_owner"));
    assert_eq!(service.get("/errors/none").await.problem(), (404, "not_found"));
}

#[tokio::test]
async fn requests_are_measured_by_route_and_not_by_path() {
    let service = Service::new();
    service.get("/v1/things/res_01jhs3n5c8fq7t2v9w4x6y8zab").await;
    service.get("/v1/nowhere/at/all").await;
    let text = service.app.metrics.text();
    assert!(text.contains("http_route=\"/v1/things/{id}\",http_response_status_code=\"200\""), "{text}");
    assert!(text.contains("http_route=\"none\",http_response_status_code=\"404\",error_type=\"not_found\""), "{text}");
    assert!(!text.contains("nowhere"), "{text}");
}
