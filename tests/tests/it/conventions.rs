//! What holds for every route.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{TestApp, send};

#[tokio::test]
async fn health_answers_as_the_runbook_says() {
    let app = TestApp::new().await;
    let mut live = app.get("/health/live").await.body;
    assert!(live["timestamp"].take().as_str().unwrap().ends_with('Z'));
    assert_eq!(live, json!({ "status": "ok", "timestamp": null }));
    let ready = app.get("/health/ready").await;
    let checks = json!({ "database": "connected", "redis": "disabled", "elasticsearch": "disabled" });
    assert_eq!((ready.status.as_u16(), &ready.body), (200, &json!({ "status": "ready", "checks": checks })));
    let full = app.get("/health").await.body;
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&full), ["metrics", "services", "status", "uptime", "version"]);
    assert_eq!(full["status"], "healthy");
    assert_eq!(members(&full["services"]), ["database", "elasticsearch", "redis"]);
    assert_eq!(members(&full["services"]["database"]), ["latency", "status"]);
    assert_eq!(members(&full["metrics"]), ["cpuUsage", "memoryUsage"]);
    let numbers = [&full["uptime"], &full["services"]["database"]["latency"], &full["metrics"]["memoryUsage"]];
    assert!(numbers.iter().all(|value| value.is_u64()), "{full}");
    let outside = app.get("/v1/health").await.body;
    assert_eq!(members(&outside), ["services", "status", "timestamp", "version"]);
    assert_eq!((&outside["status"], &outside["services"]["database"]), (&json!("healthy"), &json!("healthy")));
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let app = TestApp::new().await;
    let answer = app.get("/v1/nowhere").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (404, "not_found"));
    assert_eq!(answer.body["instance"], "/v1/nowhere");
    let answer = send(app.request(Method::DELETE, "/v1/whoami")).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (405, "method_not_allowed"));
    assert!(answer.header("allow").contains("GET"));
}

#[tokio::test]
async fn a_bad_body_is_refused_with_its_place() {
    let app = TestApp::new().await;
    let post = |body: &str, kind: &str| {
        send(app.request(Method::POST, "/v1/auth/login").header("content-type", kind).body(body.to_owned()))
    };
    let answer = post(r#"{"email": 7, "password": "x"}"#, "application/json").await;
    assert_eq!((answer.status.as_u16(), &answer.body["errors"][0]["pointer"]), (400, &json!("/email")));
    assert_eq!(post("{", "application/json").await.status, 400);
    assert_eq!(post(r#"[["x", "y"]]"#, "application/json").await.status, 400);
    assert_eq!(post("{}", "text/plain").await.status, 415);
    let sized = |bytes: usize| format!(r#"{{"email": "{}"}}"#, "a".repeat(bytes - r#"{"email": ""}"#.len()));
    assert_eq!(post(&sized(1 << 20), "application/json").await.status, 400, "of a size that is taken");
    let large = post(&sized((1 << 20) + 1), "application/json").await;
    assert_eq!((large.status.as_u16(), large.code()), (413, "body_too_large"));
}

#[tokio::test]
async fn all_invalid_values_are_told_at_once() {
    let app = TestApp::new().await;
    let body = json!({ "email": "nobody", "password": "short", "name": "" });
    let answer = app.post("/v1/auth/register", body).await;
    let pointers: Vec<_> = answer.body["errors"].as_array().unwrap().iter().map(|one| one["pointer"].clone()).collect();
    assert_eq!((answer.status.as_u16(), pointers), (422, vec![json!("/email"), json!("/password"), json!("/name")]));
}

#[tokio::test]
async fn every_answer_has_its_id_and_its_guards() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    let refused = app.get("/v1/nowhere").await;
    assert_eq!(refused.header("x-request-id"), refused.body["request_id"]);
    for answer in [refused, app.get("/v1/whoami").await, ada.get("/v1/whoami").await] {
        assert!(answer.header("x-request-id").starts_with("req_"), "{answer:?}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn a_callers_own_request_id_replaces_none_of_ours() {
    let app = TestApp::new().await;
    let answer = send(app.request(Method::GET, "/health/live").header("x-request-id", "theirs")).await;
    assert!(answer.header("x-request-id").starts_with("req_"), "{answer:?}");
}

#[tokio::test]
async fn the_description_of_the_api_tells_nothing_of_the_inside() {
    let app = TestApp::new().await;
    let text = app.get("/v1/openapi.json").await.body.to_string();
    let inside = ["postgres", "api_platform_app", "master_key", "password_hash", "_digest", "sealed", "eyJ"];
    for word in inside.into_iter().chain([app.database.app_url().as_str(), env!("CARGO_MANIFEST_DIR")]) {
        assert!(!text.contains(word), "{word}");
    }
}

#[tokio::test]
async fn the_keys_are_published_where_programs_look() {
    let app = TestApp::new().await;
    let keys = app.get("/.well-known/jwks.json").await.body;
    assert_eq!((&keys["keys"][0]["kty"], &keys["keys"][0]["crv"]), (&json!("OKP"), &json!("Ed25519")));
    assert_eq!(keys, app.get("/v1/auth/.well-known/jwks.json").await.body);
    assert!(keys["keys"][0]["d"].is_null(), "never the private part");
}

#[tokio::test]
async fn the_manual_of_the_api_asks_nobody_else() {
    let app = TestApp::new().await;
    let page = app.request(Method::GET, "/docs").send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(!page.text().await.unwrap().contains("://"));
}

#[tokio::test]
async fn a_process_that_stops_finishes_what_it_began() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    let request = ada.get("/v1/whoami");
    let (answer, ()) = tokio::join!(request, app.stop());
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn changes_at_once_without_a_condition_all_happen() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    for path in ["/v1/organization", "/v1/users/me"] {
        let rename = |name: &str| ada.patch(path, json!({ "name": name }));
        let (a, b, c, d) = tokio::join!(rename("a"), rename("b"), rename("c"), rename("d"));
        let answers = [a, b, c, d];
        assert!(answers.iter().all(|answer| answer.status == 200), "{path} {answers:?}");
    }
}

#[tokio::test]
async fn a_login_that_could_see_every_organization_never_becomes_ready() {
    let database = testing::Database::new().await;
    for (url, why) in [(database.superuser_url(), "is a superuser"), (database.owner_url(), "owns the tables")] {
        let server = platform::Server::start(platform::Options::for_tests(url)).unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        tests::until(std::time::Duration::from_secs(5), async || {
            let ready = send(client.get(format!("{}/health/ready", server.url()))).await;
            assert_eq!(ready.status, 503, "{ready:?}");
            ready.body["reason"].as_str().is_some_and(|reason| reason.contains(why))
        })
        .await;
        server.stop().await;
    }
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let database = testing::Database::new().await;
    let first_request = std::time::Duration::from_millis(300);
    let options = platform::Options { first_request, ..platform::Options::for_tests(database.app_url()) };
    let server = platform::Server::start(options).unwrap();
    let mut silent = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let mut slow = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    slow.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Never-").await.unwrap();
    let mut rest = Vec::new();
    let closed = async {
        let _ = silent.read_to_end(&mut rest).await;
        let _ = slow.read_to_end(&mut rest).await;
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), closed).await.unwrap();
    server.stop().await;
}
