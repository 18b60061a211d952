//! Two organizations, and tokens that are their bearer's role.

use ::http::{Request, StatusCode};
use api::{ApiConfig, App, AppParts, Authority, Claims, Denials, Limits, Metrics, Quotas, Revocations, TokenCache};
use axum::{Router, body::Body};
use base64::Engine;
use db::{Db, secrets::MasterKey};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;
use testing::Database;
use tower::ServiceExt;
use types::{Clock, OrgId, Rng, Role, SessionId, UserId};
use uuid::Uuid;

pub(crate) struct World {
    router: Router,
    pub(crate) app: App,
    pub(crate) database: Database,
    pub(crate) clock: Clock,
}

/// A source of analytics events.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) key: String,
}

pub(crate) struct Answer(::http::response::Parts, Value);

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

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

/// The token `stranger` is the owner of the second organization; any other is a role in the first.
fn claims(token: &str) -> Option<Claims> {
    let (org, role) = if token == "stranger" { (2, "owner") } else { (1, token) };
    Role::parse(role)?;
    Some(Claims {
        iss: "http://localhost".to_owned(),
        aud: "eap".to_owned(),
        sub: UserId(Uuid::from_u128(7)),
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

fn app(db: Db, clock: Clock, quotas: Quotas) -> App {
    let rng = Rng::system();
    let metrics = Metrics::new("test");
    let authority = Authority {
        bearer: Arc::new(claims),
        permissions_of: |role| Role::parse(role).map(Role::permissions).unwrap_or_default(),
    };
    App::new(AppParts {
        clock,
        authority,
        revocations: Revocations::of(db.clone()),
        tokens: TokenCache::default(),
        denials: Denials::default(),
        limits: Limits::new(quotas, metrics.clone()),
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
        // The real time, standing still: partitions are made by PostgreSQL's clock.
        Self::at(Clock::stopped_at(Clock::system().now())).await
    }

    pub(crate) async fn at(clock: Clock) -> Self {
        let database = Database::new().await;
        let organizations = "INSERT INTO organizations (id, name, created_at, updated_at)
            SELECT lpad(n::text, 32, '0')::uuid, 'org', now(), now() FROM generate_series(1, 2) n";
        database.client("postgres").await.batch_execute(organizations).await.unwrap();
        Self::beside(&database, clock)
    }

    /// Another process on the same database.
    pub(crate) fn beside(database: &Database, clock: Clock) -> Self {
        Self::limited(database, clock, Quotas { per_address: None, per_person: None })
    }

    /// Another process, whose requests are counted.
    pub(crate) fn limited(database: &Database, clock: Clock, quotas: Quotas) -> Self {
        let app = app(database.pool(), clock.clone(), quotas);
        let (router, _) = analytics::routes(app.clone()).split_for_parts();
        Self { router: api::layers::wrap(router, app.clone()), app, database: database.clone(), clock }
    }

    /// A request as it is.
    pub(crate) async fn raw(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer(parts, serde_json::from_slice(&body).unwrap_or_default())
    }

    pub(crate) async fn send(&self, token: &str, method: &str, path: &str, body: Value) -> Answer {
        let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.raw(request.header("content-type", "application/json").body(body).unwrap()).await
    }

    pub(crate) async fn admin(&self, method: &str, path: &str, body: Value) -> Answer {
        self.send("admin", method, path, body).await
    }

    pub(crate) async fn viewer(&self, path: &str) -> Value {
        self.send("viewer", "GET", path, Value::Null).await.expect(StatusCode::OK)
    }

    /// A source of the first organization.
    pub(crate) async fn source(&self, allowed_origins: Value) -> Source {
        let body = json!({ "name": "Website", "allowed_origins": allowed_origins });
        let made = self.admin("POST", "/v1/analytics/sources", body).await.expect(StatusCode::CREATED);
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        Source { path: format!("/v1/analytics/sources/{}", text("id")), key: text("write_key") }
    }

    /// A call as a server's client sends it.
    pub(crate) fn call(key: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
        let credential = base64::engine::general_purpose::STANDARD.encode(format!("{key}:"));
        let request = Request::post(path).header("authorization", format!("Basic {credential}"));
        request.header("content-type", "application/json").body(body.into()).unwrap()
    }

    pub(crate) async fn post(&self, key: &str, path: &str, body: &Value) -> Answer {
        self.raw(Self::call(key, path, body.to_string())).await
    }

    /// Events that are all taken.
    pub(crate) async fn batch(&self, key: &str, events: Vec<Value>) {
        let answer = self.post(key, "/v1/batch", &json!({ "batch": events })).await.expect(StatusCode::OK);
        assert_eq!(answer, json!({ "success": true, "rejected": [] }));
    }

    /// One number, asked as who sees everything.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.database.client("postgres").await.query_one(sql, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn trend(&self, name: &str, since: &str, until: &str, interval: &str, unit: &str) -> Vec<i64> {
        let query = json!({ "kind": "trend", "event": name, "since": since, "until": until, "interval": interval, "unit": unit });
        let answer = self.send("viewer", "POST", "/v1/analytics/query", query).await.expect(StatusCode::OK);
        answer["data"].as_array().unwrap().iter().map(|point| point["value"].as_i64().unwrap()).collect()
    }
}

/// `track` of somebody.
pub(crate) fn track(name: &str, user: &str) -> Value {
    json!({ "type": "track", "event": name, "userId": user })
}

/// The same with an id of its own.
pub(crate) fn message(id: &str) -> Value {
    json!({ "type": "track", "event": "Bought", "userId": "u", "messageId": id })
}
