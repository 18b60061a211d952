//! Two organizations, and tokens that are their bearer's role.

use ::http::{Request, StatusCode};
use api::{ApiConfig, App, AppParts, Authority, Claims, Denials, Limits, Metrics, Quotas, Revocations, TokenCache};
use axum::{Router, body::Body};
use db::{Db, secrets::MasterKey};
use http_body_util::BodyExt;
use serde_json::Value;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use testing::Database;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use types::{Clock, OrgId, Rng, Role, SessionId, UserId};
use uuid::Uuid;

pub(crate) struct World {
    router: Router,
    app: App,
    pub(crate) database: Database,
}

/// A worker of jobs, in a process of its own.
pub(crate) struct Worker {
    pub(crate) task: JoinHandle<()>,
    pub(crate) stop: CancellationToken,
}

pub(crate) struct Answer(::http::response::Parts, Value);

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.0.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn expect(self, status: StatusCode) -> Value {
        assert_eq!(self.0.status, status, "{}", self.1);
        self.1
    }

    pub(crate) fn problem(self, status: StatusCode, code: &str) -> Value {
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{body}");
        body
    }
}

/// The token `stranger` is the owner of the second organization; any other is a role in the first, of a person each.
fn claims(token: &str) -> Option<Claims> {
    let (org, role) = if token == "stranger" { (2, "owner") } else { (1, token) };
    let person = Role::parse(role)? as u128;
    Some(Claims {
        iss: "http://localhost".to_owned(),
        aud: "eap".to_owned(),
        sub: UserId(Uuid::from_u128(person)),
        sid: SessionId(Uuid::from_u128(8)),
        client_id: "test".to_owned(),
        org: Some(OrgId(Uuid::from_u128(org))),
        role: Some(role.to_owned()),
        session_version: 1,
        membership_version: 1,
        auth_time: 0,
        amr: vec![],
        acr: String::new(),
        act: None,
        iat: 0,
        exp: i64::MAX,
        jti: String::new(),
    })
}

fn app(db: Db) -> App {
    let rng = Rng::system();
    let metrics = Metrics::new("test");
    let authority = Authority {
        bearer: Arc::new(claims),
        permissions_of: |role| Role::parse(role).map(Role::permissions).unwrap_or_default(),
    };
    App::new(AppParts {
        clock: Clock::system(),
        authority,
        revocations: Revocations::of(db.clone()),
        tokens: TokenCache::default(),
        denials: Denials::default(),
        limits: Limits::new(Quotas { per_address: None, per_person: None }, metrics.clone()),
        secrets: Arc::new(MasterKey::parse(&MasterKey::generate(&rng)).unwrap()),
        config: ApiConfig {
            public_url: "http://localhost".to_owned(),
            cors_origins: vec![],
            trusted_proxies: vec![],
            version: "test".to_owned(),
            smoke: None,
        },
        db,
        rng,
        metrics,
    })
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = Database::new().await;
        let organizations = "INSERT INTO organizations (id, name, created_at, updated_at)
            SELECT lpad(n::text, 32, '0')::uuid, 'org', now(), now() FROM generate_series(1, 2) n";
        database.client("postgres").await.batch_execute(organizations).await.unwrap();
        Self::on(database)
    }

    fn on(database: Database) -> Self {
        let app = app(database.pool());
        let (router, _) = resources::routes(app.clone()).merge(api::jobs::routes(app.clone())).split_for_parts();
        Self { router: api::layers::wrap(router, app.clone()), app, database }
    }

    /// Another process on the same database.
    pub(crate) fn beside(&self) -> Self {
        Self::on(self.database.clone())
    }

    /// Starts a worker in this process.
    pub(crate) fn work(&self) -> Worker {
        let stop = CancellationToken::new();
        let task = tokio::spawn(api::jobs::run(self.app.clone(), resources::JOBS.to_vec(), stop.clone()));
        Worker { task, stop }
    }

    /// A job as an admin sees it, once that is as wanted.
    pub(crate) async fn job(&self, id: &Value, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let path = format!("/v1/jobs/{}", id.as_str().unwrap());
            let job = self.send("admin", "GET", &path, &[], Value::Null).await.expect(StatusCode::OK);
            if is_wanted(&job) {
                return job;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{job}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The job when it has ended.
    pub(crate) async fn ended(&self, id: &Value) -> Value {
        self.job(id, |job| !job["finished_at"].is_null()).await
    }

    pub(crate) async fn send(
        &self,
        token: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Answer {
        let mut request =
            Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        request = request.header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer(parts, serde_json::from_slice(&body).unwrap_or_default())
    }

    pub(crate) async fn admin(&self, method: &str, path: &str, body: Value) -> Answer {
        self.send("admin", method, path, &[], body).await
    }

    pub(crate) async fn admin_conditional(&self, method: &str, path: &str, etag: &str, body: Value) -> Answer {
        self.send("admin", method, path, &[("if-match", etag)], body).await
    }

    pub(crate) async fn member(&self, method: &str, path: &str, body: Value) -> Answer {
        self.send("member", method, path, &[], body).await
    }

    pub(crate) async fn conditional(&self, method: &str, path: &str, etag: &str, body: Value) -> Answer {
        self.send("member", method, path, &[("if-match", etag)], body).await
    }

    pub(crate) async fn viewer(&self, method: &str, path: &str) -> Answer {
        self.send("viewer", method, path, &[], Value::Null).await
    }

    pub(crate) async fn stranger(&self, method: &str, path: &str, body: Value) -> Answer {
        self.send("stranger", method, path, &[], body).await
    }

    /// What the outbox tells the world, in order.
    pub(crate) async fn expect_events(&self, kinds: &[&str]) {
        let postgres = self.database.client("postgres").await;
        let rows = postgres.query("SELECT kind FROM outbox ORDER BY id", &[]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<&str>>(), kinds);
    }
}
