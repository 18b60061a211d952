//! `GET /v1/audit/events/{id}`

use super::AuditEvent;
use crate::{model::shown, store::events};
use api::{App, Can, Code, PathId, Problem};
use axum::{Json, extract::State};
use std::time::Duration;
use types::{EventId, Permission, permission::ReadAudit};

/// An entry enters the log after it happened; so much before, where the clocks of two machines differ.
const CLOCKS_DIFFER: Duration = Duration::from_mins(10);

/// Read one entry of the audit log
#[utoipa::path(
    get, path = "/v1/audit/events/{id}", tag = "audit", operation_id = "get_audit_event",
    params(("id" = EventId, Path, description = "The entry")),
    responses((status = 200, body = AuditEvent, description = "The entry")),
    security(("access_token" = [ReadAudit::NAME.as_str()])),
)]
pub(crate) async fn get_audit_event(
    State(app): State<App>,
    Can { caller, .. }: Can<ReadAudit>,
    PathId(id): PathId<EventId>,
) -> Result<Json<AuditEvent>, Problem> {
    let db = app.db.read(caller.org).await?;
    let (since, actions) = (id.made_at().minus(CLOCKS_DIFFER), shown().collect::<Vec<_>>());
    let entry = events::by_id(&db, id, since, &actions).await?.ok_or(Code::NotFound)?;
    Ok(Json(entry.into()))
}
