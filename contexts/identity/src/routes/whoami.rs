//! `GET /v1/whoami`

use api::{App, Session};
use axum::{Json, extract::State};
use serde::Serialize;
use types::{OrgId, SessionId, UserId};
use utoipa::ToSchema;

/// Whom a credential speaks for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WhoamiResponse {
    principal: Principal,
    organization_id: Option<OrgId>,
    #[schema(example = "owner")]
    role: Option<String>,
    #[schema(example = json!(["resources:read"]))]
    permissions: Vec<&'static str>,
    limits: CallerLimits,
}

/// What limits this caller's requests; null: nothing does.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallerLimits {
    #[schema(example = 1500)]
    requests_per_minute: Option<u32>,
}

/// A person, by a session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Principal {
    #[schema(example = "user")]
    kind: &'static str,
    id: UserId,
    session_id: SessionId,
}

/// Whom this credential speaks for, where, and what it may do
#[utoipa::path(
    get, path = "/v1/whoami", tag = "sign-in", operation_id = "whoami",
    responses((status = 200, body = WhoamiResponse, description = "The caller")),
    security(("access_token" = [])),
)]
pub(crate) async fn whoami(State(app): State<App>, Session { caller }: Session) -> Json<WhoamiResponse> {
    Json(WhoamiResponse {
        principal: Principal { kind: "user", id: caller.user, session_id: caller.session },
        organization_id: caller.org,
        role: caller.claims.role.clone(),
        permissions: caller.permissions.names().collect(),
        limits: CallerLimits { requests_per_minute: app.limits.quotas().per_person },
    })
}
