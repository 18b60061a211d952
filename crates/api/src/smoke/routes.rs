//! `/v1/smoke/…`, by the smoke key alone; not in the OpenAPI document, because for everybody else they do not exist.

use super::{Smoke, catches, erase};
use crate::{App, Code, PathId, Problem};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequestParts, Query, State},
    routing::{delete, get},
};
use db::Work;
use events::{Actor, Event, Kind};
use http::{HeaderMap, StatusCode, header, request::Parts};
use serde::Deserialize;
use serde_json::{Value, json};
use types::Email;

/// More than any webhook of a smoke test.
const MAX_HOOK: usize = 64 << 10;

/// Where mail is sent from: the mail of synthetic accounts, and their end.
pub fn mail_routes(app: App) -> Router {
    Router::new().route("/v1/smoke/mail", get(mail)).route("/v1/smoke/accounts", delete(erase_account)).with_state(app)
}

/// Where webhooks are sent from: what receives those of synthetic organizations.
pub fn hook_routes(app: App) -> Router {
    let hooks = get(caught).post(receive);
    Router::new().route("/v1/smoke/hooks/{random}", hooks).layer(DefaultBodyLimit::max(MAX_HOOK)).with_state(app)
}

/// Who holds the key.
struct Run(Smoke);

impl FromRequestParts<App> for Run {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let smoke = app.config.smoke.as_ref().ok_or(Code::NotFound)?;
        let given = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        if smoke.opens(given) { Ok(Self(smoke.clone())) } else { Err(Code::Unauthenticated.into()) }
    }
}

#[derive(Deserialize)]
struct OfAddress {
    address: String,
}

impl OfAddress {
    /// Only of a synthetic account: the key opens nobody else's mail.
    fn of(self, smoke: &Smoke) -> Result<Email, Problem> {
        if !smoke.is_synthetic(&self.address) {
            return Err(Code::NotFound.into());
        }
        Ok(Email::parse(&self.address).map_err(|_| Code::NotFound)?)
    }
}

async fn mail(State(app): State<App>, Run(smoke): Run, Query(query): Query<OfAddress>) -> Result<Json<Value>, Problem> {
    let address = query.of(&smoke)?;
    let tx = app.db.system(Work::Smoke).await?;
    let event = Event::new(Kind::SmokeUsed, &Actor::ANONYMOUS, &app.clock, &app.rng).data(json!({ "for": "mail" }));
    tx.emit(event.personal(json!({ "address": address.as_str() })).into());
    let rows = catches::of(&tx, "mail", &address.as_str().to_lowercase(), app.clock.now().minus(catches::KEPT)).await?;
    tx.commit().await?;
    opened(&app, "mail", &rows)
}

fn opened(app: &App, kind: &str, rows: &[catches::CatchRow]) -> Result<Json<Value>, Problem> {
    let data: Result<Vec<_>, _> = rows.iter().map(|row| catches::open(app, kind, row)).collect();
    Ok(Json(json!({ "data": data.map_err(Problem::internal)? })))
}

async fn erase_account(
    State(app): State<App>,
    Run(smoke): Run,
    Query(query): Query<OfAddress>,
) -> Result<StatusCode, Problem> {
    let erased = erase::account(&app, &query.of(&smoke)?).await?;
    if erased == 0 { Err(Code::NotFound.into()) } else { Ok(StatusCode::NO_CONTENT) }
}

async fn receive(
    State(app): State<App>,
    PathId(name): PathId<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let smoke = app.config.smoke.as_ref().ok_or(Code::NotFound)?;
    if !smoke.is_hook(&name) {
        return Err(Code::NotFound.into());
    }
    let kept = headers.iter().filter(|(name, _)| name.as_str().starts_with("webhook-"));
    let kept: serde_json::Map<_, _> =
        kept.map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap_or_default()))).collect();
    let content = json!({ "headers": kept, "body": String::from_utf8_lossy(&body) });
    let tx = app.db.system(Work::Smoke).await?;
    catches::keep(&app, &tx, "hook", &name, &content).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn caught(State(app): State<App>, Run(_): Run, PathId(name): PathId<String>) -> Result<Json<Value>, Problem> {
    let tx = app.db.system(Work::Smoke).await?;
    let rows = catches::of(&tx, "hook", &name, app.clock.now().minus(catches::KEPT)).await?;
    tx.commit().await?;
    opened(&app, "hook", &rows)
}
