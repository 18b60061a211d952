//! The platform as a test sees it: a process on a port, with people in it.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test may panic")]

use db::Work;
use identity::Account;
use platform::{Options, Server};
use reqwest::{Client, Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use testing::Database;
use types::{Clock, Email, Role, Timestamp};

mod receiver;
mod trap;

pub use receiver::{Received, Receiver};
pub use trap::trap;

/// What everybody's password is.
pub const PASSWORD: &str = "correct horse battery";

/// What opens the smoke test's routes.
pub const SMOKE_KEY: &str = "the smoke key of every test, long enough";

/// The same as the platform has it.
pub fn smoke() -> api::Smoke {
    api::Smoke::new(SMOKE_KEY, "smoke.invalid").unwrap()
}

/// A running platform with a database of its own.
pub struct TestApp {
    /// For what a test looks at behind the platform's back.
    pub database: Database,
    /// Stands still until it is moved.
    pub clock: Clock,
    server: Server,
    client: Client,
}

/// Somebody who is signed in.
#[derive(Clone)]
pub struct Person {
    client: Client,
    base: String,
    /// The access token.
    pub token: String,
    /// The refresh token.
    pub refresh_token: String,
    /// The person's id.
    pub id: String,
    /// The organization's id.
    pub org: String,
    /// The address.
    pub email: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; null when it is no JSON.
    pub body: Value,
}

impl Answer {
    /// The problem's code.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl TestApp {
    /// A new one.
    pub async fn new() -> Self {
        Self::on(Database::new().await).await
    }

    /// Another process on a database.
    pub async fn on(database: Database) -> Self {
        Self::with(database, |_| {}).await
    }

    /// Another process on a database, later.
    pub async fn later(database: Database, by: Duration) -> Self {
        Self::at(Clock::system().now().plus(by), database, |_| {}).await
    }

    /// Another process on a database, changed before it starts.
    pub async fn with(database: Database, change: impl FnOnce(&mut Options)) -> Self {
        Self::at(Clock::system().now(), database, change).await
    }

    async fn at(now: Timestamp, database: Database, change: impl FnOnce(&mut Options)) -> Self {
        // The real time, standing still: partitions and leases go by PostgreSQL's clock.
        let clock = Clock::stopped_at(now);
        // One issuer for all processes of a test, whatever their ports.
        let public_url = Some("http://platform.test".to_owned());
        // A test sends to itself and to nobody else: no name has an address.
        let lookup = webhooks::Lookup::nobody();
        let rules = webhooks::Rules { loopback: true, allow_http_to: None };
        let delivery = webhooks::Delivery { rules, lookup, ..webhooks::Delivery::default() };
        let smoke = Some(smoke());
        let of_tests = Options::for_tests(database.app_url());
        let mut options = Options { clock: clock.clone(), public_url, smoke, delivery, ..of_tests };
        change(&mut options);
        let server = Server::start(options).unwrap();
        server.ready().await;
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { database, clock, server, client }
    }

    /// Where it is.
    pub fn base(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// The time of this process.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What is shown on the metrics port.
    pub fn metrics(&self) -> String {
        self.server.identity().app.metrics.text()
    }

    /// Mails that were caught, oldest first.
    pub fn mails(&self) -> Vec<identity::CaughtMail> {
        self.server.identity().mailer.caught()
    }

    /// The newest entry of somebody's audit log, once there is one.
    pub async fn first_entry(&self, of: &Person) -> Value {
        let mut page = Value::Null;
        until(Duration::from_secs(5), async || {
            page = of.get("/v1/audit/events?limit=1").await.body;
            page["data"][0].is_object()
        })
        .await;
        page["data"][0].clone()
    }

    /// Stops it as a signal would.
    pub async fn stop(self) {
        self.server.stop().await;
    }

    /// An organization of its own for somebody with this name, who owns it.
    pub async fn owner(&self, name: &str) -> Person {
        let app = &self.server.identity().app;
        let account = self.account(name).await;
        let tx = app.db.system(Work::Administration).await.unwrap();
        let founder = identity::seed(app, &tx, &account).await.unwrap();
        orgs::found(app, &tx, &format!("{name}'s"), &founder).await.unwrap();
        tx.commit().await.unwrap();
        self.sign_in(name, json!({})).await
    }

    /// Somebody who joins an organization in a role.
    pub async fn member(&self, of: &Person, name: &str, role: Role) -> Person {
        let app = &self.server.identity().app;
        let account = self.account(name).await;
        let tx = app.db.system(Work::Administration).await.unwrap();
        let one = identity::seed(app, &tx, &account).await.unwrap();
        let org = of.org.parse().unwrap();
        let (now, name_of) = (app.clock.now(), one.name.as_deref());
        orgs::join(&tx, org, one.user, role.as_str(), &one.email, &one.email_key, name_of, now).await.unwrap();
        tx.commit().await.unwrap();
        self.sign_in(name, json!({ "organization_id": of.org })).await
    }

    /// More notes than a request indexes by another field, `title`, so that a job does; its id.
    pub async fn many_notes(&self, of: &Person) -> String {
        let rows = "INSERT INTO resources (org_id, id, type_id, document, created_by, created_at, updated_at)
            SELECT t.org_id, gen_random_uuid(), t.id, jsonb_build_object('title', 'n' || n), gen_random_uuid(), now(), now()
            FROM resource_types t, generate_series(1, 1001) n WHERE t.org_id = $1";
        let org: types::OrgId = of.org.parse().unwrap();
        self.database.client("postgres").await.execute(rows, &[&org]).await.unwrap();
        let mut note = of.get("/v1/resource-types/note").await;
        let etag = note.header("etag").to_owned();
        let indexed = json!([{ "field": "priority", "type": "number" }, { "field": "title", "type": "text" }]);
        let body = json!({ "schema": note.body["schema"].take(), "indexed": indexed });
        let put = of.request(Method::PUT, "/v1/resource-types/note").header("if-match", etag).json(&body);
        let answer = send(put).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["indexing_job_id"].as_str().unwrap().to_owned()
    }

    async fn account(&self, name: &str) -> Account {
        let email = Email::parse(&format!("{name}@example.com")).unwrap();
        Account::hashed(&self.server.identity().hasher, email, name, PASSWORD).await.unwrap()
    }

    async fn sign_in(&self, name: &str, mut body: Value) -> Person {
        let email = format!("{name}@example.com");
        body["email"] = json!(email);
        body["password"] = json!(PASSWORD);
        let answer = self.post("/v1/auth/login", body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.person(&email, &answer.body)
    }

    /// Whoever a sign-in's answer is for.
    pub fn person(&self, email: &str, body: &Value) -> Person {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Person {
            client: self.client.clone(),
            base: self.base(),
            token: text(&body["access_token"]),
            refresh_token: text(&body["refresh_token"]),
            id: text(&body["user"]["id"]),
            org: text(&body["organization"]["id"]),
            email: email.to_owned(),
        }
    }

    /// A request without a credential.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base()))
    }

    /// POST without a credential.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path).json(&body)).await
    }

    /// GET without a credential.
    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }
}

impl Person {
    /// A request with the token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// The same person, asking another process.
    #[must_use]
    pub fn at(&self, app: &TestApp) -> Self {
        Self { base: app.base(), ..self.clone() }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }

    /// POST.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path).json(&body)).await
    }

    /// PATCH.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::PATCH, path).json(&body)).await
    }

    /// A message of one's own; its id.
    pub async fn publish(&self, of: &str) -> String {
        let answer = self.post("/v1/webhooks/messages", json!({ "type": of, "data": {} })).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.body["id"].as_str().unwrap().to_owned()
    }

    /// A type `note` with a title and an indexed priority.
    pub async fn note_type(&self) -> Answer {
        let schema = json!({ "type": "object", "required": ["title"], "additionalProperties": false,
            "properties": { "title": { "type": "string" }, "priority": { "type": "integer" } } });
        let indexed = json!([{ "field": "priority", "type": "number" }]);
        let answer =
            self.post("/v1/resource-types", json!({ "name": "note", "schema": schema, "indexed": indexed })).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer
    }

    /// A source of analytics events: its id and its write key.
    pub async fn source(&self) -> (String, String) {
        let answer = self.post("/v1/analytics/sources", json!({ "name": "Website" })).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let text = |member: &str| answer.body[member].as_str().unwrap().to_owned();
        (text("id"), text("write_key"))
    }

    /// A webhook endpoint that wants everything; its id.
    pub async fn endpoint(&self, url: &str) -> String {
        let answer = self.post("/v1/webhooks/endpoints", json!({ "url": url })).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["id"].as_str().unwrap().to_owned()
    }

    /// A note; its id.
    pub async fn note(&self, title: &str, priority: i64) -> String {
        let document = json!({ "title": title, "priority": priority });
        let answer = self.post("/v1/resources", json!({ "type": "note", "document": document })).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["id"].as_str().unwrap().to_owned()
    }
}

/// Sends and reads.
pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
    Answer { status, headers, body }
}

/// Asks again until the answer is as wanted; how long that took.
pub async fn until(limit: Duration, mut ask: impl AsyncFnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !ask().await {
        assert!(start.elapsed() < limit, "not so within {limit:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    start.elapsed()
}

/// Where the clients that others wrote are, of a folder of `tests/clients`; installed by the project's own command.
pub fn client_libraries(name: &str) -> std::path::PathBuf {
    // Whoever starts nextest without cargo has it on PATH.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut xtask = std::process::Command::new(cargo);
    xtask.args(["run", "--quiet", "--package", "xtask", "--", "client-libraries", name]);
    let output = xtask.stderr(std::process::Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "the clients cannot be installed");
    String::from_utf8(output.stdout).unwrap().lines().last().unwrap().into()
}
