//! `platform smoke`: the runbook's eight, against `platform dev` and against three services behind a proxy.

use crate::process::{Process, Served, folder, free_port, installed, platform};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{Method, StatusCode},
    response::Response,
};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use testing::Database;
use tokio::net::TcpListener;

const KEY: &str = "a smoke key that nobody guesses, of a test";
const NAMES: [&str; 8] = [
    "User registration",
    "User login",
    "List resources",
    "Create resource",
    "Update resource",
    "Delete resource",
    "Webhook delivery",
    "Analytics event tracking",
];

/// The names of the document, in its order, each passed.
fn assert_all_passed(output: &str) {
    let report: serde_json::Value = serde_json::from_str(output).unwrap();
    let steps = report["steps"].as_array().unwrap();
    let names: Vec<_> = steps.iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(names, NAMES);
    assert!(steps.iter().all(|step| step["result"] == "passed"), "{report:#}");
    assert_eq!(report["not_erased"], serde_json::Value::Null);
}

async fn output_of(mut command: Command) -> (bool, String) {
    let ran = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (ran.status.success(), format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr)))
}

#[tokio::test]
async fn all_eight_pass_against_development_which_gives_its_key_itself() {
    let folder = folder();
    let mut dev = platform();
    dev.args(["dev", "--port", "0"]).current_dir(folder.path()).stdout(Stdio::piped());
    let mut dev = Process(dev.spawn().unwrap());
    let mut lines = BufReader::new(dev.0.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("ready_ms=")));
    let alias = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../package.json")).unwrap();
    let alias: serde_json::Value = serde_json::from_str(&alias).unwrap();
    // As npm runs it: what follows `--` is put behind the line.
    let line = format!("{} --env=development --json", alias["scripts"]["test:smoke"].as_str().unwrap());
    let binaries = Path::new(env!("CARGO_BIN_EXE_platform")).parent().unwrap();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).current_dir(folder.path()).env("PATH", path);
    let (good, output) = output_of(shell).await;
    assert!(good, "{output}");
    assert_all_passed(&output);
    assert!(dev.terminate().success());
}

/// Three services as one: each gets its paths.
#[derive(Clone)]
struct Proxy {
    client: reqwest::Client,
    auth: Arc<str>,
    user: Arc<str>,
    org: Arc<str>,
    fault: Fault,
}

impl Proxy {
    fn service(&self, path: &str) -> &str {
        let auth = ["/v1/auth/", "/v1/whoami", "/.well-known/", "/v1/smoke/mail", "/v1/smoke/accounts"];
        if auth.iter().any(|prefix| path.starts_with(prefix)) {
            &self.auth
        } else if path.starts_with("/v1/users") {
            &self.user
        } else {
            &self.org
        }
    }
}

async fn forward(State(proxy): State<Proxy>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let broken = || Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR).body(Body::empty()).unwrap();
    let creates = parts.method == Method::POST && parts.uri.path() == "/v1/resources";
    match proxy.fault {
        Fault::FailsToCreate if creates => return broken(),
        Fault::HangsAtCreate if creates => std::future::pending().await,
        _ => {}
    }
    let is_lost = proxy.fault == Fault::LosesTheAccountsAnswer && parts.uri.path() == "/v1/auth/verify-email";
    let url = format!("{}{}", proxy.service(parts.uri.path()), parts.uri);
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let mut headers = parts.headers;
    headers.remove("host");
    let answer = proxy.client.request(parts.method, url).headers(headers).body(body).send().await.unwrap();
    if is_lost {
        return broken();
    }
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers().iter().filter(|(name, _)| *name != "transfer-encoding") {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
}

/// What the proxy does to creating a resource, and to the answer that an account is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    FailsToCreate,
    HangsAtCreate,
    LosesTheAccountsAnswer,
}

/// Three services behind a proxy.
struct Behind {
    database: Database,
    url: String,
    _services: [Served; 3],
    proxy: tokio::task::JoinHandle<()>,
}

impl Behind {
    async fn start(fault: Fault) -> Self {
        let database = Database::new().await;
        let listener = TcpListener::bind(("127.0.0.1", free_port())).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serve = |service: &str| {
            let mut command = installed(&database);
            command.env("EAP_PUBLIC_URL", &url).env("EAP_SMOKE_KEY", KEY);
            Served::spawn(command, Some(service))
        };
        let services = ["auth", "user", "org"].map(serve);
        for service in &services {
            service.until_ready().await;
        }
        let [auth, user, org] = [0, 1, 2].map(|i: usize| Arc::from(services[i].base.as_str()));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let proxy = Router::new().fallback(forward).with_state(Proxy { client, auth, user, org, fault });
        let proxy = tokio::spawn(async move { axum::serve(listener, proxy).await.unwrap() });
        Self { database, url, _services: services, proxy }
    }

    fn smoke(&self, key: &str) -> Command {
        let mut smoke = platform();
        smoke.args(["smoke", "--url", &self.url, "--json"]).env("EAP_SMOKE_KEY", key);
        smoke
    }

    async fn left(&self) -> i64 {
        let owner = self.database.client("admin_user").await;
        let left = "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM organizations)";
        owner.query_one(left, &[]).await.unwrap().get(0)
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.proxy.abort();
    }
}

#[tokio::test]
async fn all_eight_pass_against_three_services_behind_a_proxy() {
    let behind = Behind::start(Fault::None).await;
    let (good, output) = output_of(behind.smoke(KEY)).await;
    assert!(good, "{output}");
    assert_all_passed(&output);
    assert_eq!(behind.left().await, 0, "it erased what it made");
    let (good, output) = output_of(behind.smoke(&KEY.replace("nobody", "anybody"))).await;
    assert!(!good && output.contains("\"failed\"") && output.contains("401"), "{output}");
}

#[tokio::test]
async fn what_was_made_is_erased_when_a_step_fails_and_when_no_answer_says_that_it_was_made() {
    for (fault, passed) in [(Fault::FailsToCreate, 5), (Fault::LosesTheAccountsAnswer, 0)] {
        let behind = Behind::start(fault).await;
        let (good, output) = output_of(behind.smoke(KEY)).await;
        let report: serde_json::Value = serde_json::from_str(&output).unwrap();
        assert!(!good && report["passed"] == passed && report["not_erased"].is_null(), "{report:#}");
        assert_eq!(behind.left().await, 0, "{report:#}");
    }
}

#[tokio::test]
async fn what_was_made_is_erased_when_it_is_told_to_end() {
    let behind = Behind::start(Fault::HangsAtCreate).await;
    let smoke = Process(behind.smoke(KEY).stdout(Stdio::null()).spawn().unwrap());
    until(async || behind.left().await > 0).await;
    let ended = tokio::task::spawn_blocking(|| smoke.terminate()).await.unwrap();
    assert_eq!(ended.code(), Some(143), "as a shell says of SIGTERM");
    assert_eq!(behind.left().await, 0);
}

async fn until(holds: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < Duration::from_secs(30), "it made nothing");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_platform_that_is_not_there_fails_the_first_step_and_skips_the_rest() {
    let mut smoke = platform();
    smoke.args(["smoke", "--url", &format!("http://127.0.0.1:{}", free_port())]).env("EAP_SMOKE_KEY", KEY);
    let (good, output) = output_of(smoke).await;
    assert!(!good && output.contains("Connection refused") && output.contains("0 of 8 passed"), "{output}");
    assert!(output.contains("– User login") && output.contains("needs User registration"), "{output}");
}
