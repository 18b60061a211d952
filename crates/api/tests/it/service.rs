//! A tiny service with every extractor, and tokens whose text is their claims.

use api::{
    ApiConfig, App, AppParts, Authority, Can, Claims, Created, Cursor, Denials, Health, Idempotency, IfMatch, Limit,
    Limits, Metrics, Page, PathId, Problem, Quotas, Revocations, Session, TokenCache, ValidJson, ValidQuery, Validate,
    Violations, WithEtag, health, layers, openapi,
};
use axum::{
    Router,
    body::Body,
    extract::State,
    http::{Request, Response, StatusCode, request::Builder},
    routing::{get, post},
};
use db::{Db, secrets::MasterKey};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use testing::Database;
use tower::ServiceExt;
use types::{Clock, OrgId, ResourceId, Rng, Role, Timestamp, permission::ReadUsers};
use utoipa_axum::router::OpenApiRouter;

pub(crate) const NOW: i64 = 1_737_122_400;

pub(crate) struct Service {
    pub(crate) app: App,
    pub(crate) router: Router,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ThingRequest {
    name: String,
    #[serde(default)]
    size: Option<u8>,
}

impl Validate for ThingRequest {
    fn validate(&self, errors: &mut Violations) {
        errors.text("/name", &self.name, 1..=5);
        errors.require(self.size.is_none_or(|size| size < 10), "/size", "range", "must be below 10");
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ThingsQuery {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

impl Validate for ThingsQuery {
    fn validate(&self, errors: &mut Violations) {
        self.limit.validate(errors);
    }
}

async fn create(
    State(app): State<App>,
    Session { caller }: Session,
    idempotency: Idempotency,
    ValidJson(request, digest): ValidJson<ThingRequest>,
) -> Result<Response<Body>, Problem> {
    let tx = app.db.begin(caller.org.unwrap_or(OrgId(uuid::Uuid::nil()))).await?;
    if let Some(first) = idempotency.replay(&tx, &digest).await? {
        return Ok(first);
    }
    let id = ResourceId::new(&app.rng, app.clock.now());
    let body = json!({"id": id, "name": request.name});
    let created = Created { location: format!("/v1/things/{id}"), etag: 1, body };
    let answer = idempotency.keep(&tx, &digest, created).await?;
    tx.commit().await?;
    Ok(answer)
}

async fn validate(ValidJson(request, _): ValidJson<ThingRequest>) -> String {
    request.name
}

async fn list(ValidQuery(query): ValidQuery<ThingsQuery>) -> Result<Page<usize>, Problem> {
    let cursor = Cursor::of("list_things", &());
    let after = cursor.decode::<usize>(query.cursor.as_deref())?.unwrap_or_default();
    let rows = (after + 1..=3).take(query.limit.get() + 1).collect();
    Ok(Page::new(rows, query.limit, |last| cursor.encode(last), |row| row))
}

async fn read(PathId(id): PathId<ResourceId>, if_match: IfMatch) -> Result<WithEtag<ResourceId>, Problem> {
    if_match.check(7)?;
    Ok(WithEtag { etag: 7, body: id })
}

async fn users(Can { caller, .. }: Can<ReadUsers>) -> String {
    caller.org.to_string()
}

async fn never_ends() {
    std::future::pending::<()>().await;
}

async fn panics() {
    panic!("the secret cause");
}

impl Service {
    /// Without a database.
    pub(crate) fn new() -> Self {
        Self::with(Quotas::default(), &[])
    }

    pub(crate) fn with(quotas: Quotas, cors: &[&str]) -> Self {
        let nowhere = db::Options { url: "postgresql://nobody@127.0.0.1:1/none".into(), max_connections: 1 };
        let never = Revocations::reading(Arc::new(|_| Box::pin(async { Ok(vec![]) })));
        Self::over(Db::new(&nowhere).unwrap(), never, quotas, cors)
    }

    pub(crate) fn over(db: Db, revocations: Revocations, quotas: Quotas, cors: &[&str]) -> Self {
        let (clock, rng) = (Clock::stopped_at(Timestamp::from_millis(NOW * 1_000)), Rng::seeded(1));
        let metrics = Metrics::new("1.2.3");
        let bearer = |token: &str| serde_json::from_str::<Claims>(token).ok();
        let permissions_of = |role: &str| Role::parse(role).map(Role::permissions).unwrap_or_default();
        let app = App::new(AppParts {
            db,
            authority: Authority { bearer: Arc::new(bearer), permissions_of },
            revocations,
            tokens: TokenCache::default(),
            denials: Denials::default(),
            limits: Limits::new(quotas, metrics.clone()),
            secrets: Arc::new(MasterKey::parse(&MasterKey::generate(&rng)).unwrap()),
            config: ApiConfig {
                public_url: "http://localhost:3000".into(),
                cors_origins: cors.iter().map(ToString::to_string).collect(),
                trusted_proxies: vec![],
                version: "1.2.3".into(),
                smoke: None,
            },
            metrics,
            clock: clock.clone(),
            rng,
        });
        let routes = Router::new()
            .route("/v1/things", post(create).get(list))
            .route("/v1/things/validate", post(validate))
            .route("/v1/things/{id}", get(read))
            .route("/v1/users", get(users))
            .route("/v1/panics", get(panics))
            .route("/v1/never-ends", get(never_ends))
            .with_state(app.clone());
        let (health, document) =
            OpenApiRouter::new().merge(health::routes(Health::new("1.2.3", clock))).split_for_parts();
        let routes = routes.merge(health).merge(openapi::routes(&openapi::finish(document)));
        Self { router: layers::wrap(routes, app.clone()), app }
    }

    /// On a database of its own.
    pub(crate) async fn on_database() -> (Self, Database) {
        let database = Database::new().await;
        let db = database.pool();
        (Self::over(db.clone(), Revocations::of(db), Quotas::default(), &[]), database)
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get_as(&self, path: &str, token: &str) -> Answer {
        self.send(authorized(Request::get(path), token).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(path).header("content-type", "application/json");
        self.send(request.body(body.into()).unwrap()).await
    }
}

pub(crate) fn authorized(request: Builder, token: &str) -> Builder {
    request.header("authorization", format!("Bearer {token}"))
}

/// A token of one person, with changes.
pub(crate) fn token(changes: &[(&str, Value)]) -> String {
    let mut claims = json!({
        "iss": "http://localhost:3000", "aud": "eap", "client_id": "eap", "jti": "1", "acr": "1", "amr": ["pwd"],
        "sub": "usr_01jhs3n5c8fq7t2v9w4x6y8zab", "sid": "ses_01jhs3n5c8fq7t2v9w4x6y8zab",
        "org": "org_01jhs3n5c8fq7t2v9w4x6y8zab", "role": "viewer", "sv": 1, "mv": 1,
        "auth_time": NOW, "iat": NOW, "exp": NOW + 600,
    });
    for (name, value) in changes {
        claims[*name] = value.clone();
    }
    claims.to_string()
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn problem(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["code"].as_str().unwrap_or_default())
    }
}
