//! The routes of this context.

mod get_audit_event;
mod list_audit_events;

use crate::store::events::EntryRow;
use api::App;
use serde::Serialize;
use serde_json::Value;
use types::{EventId, RequestId, Timestamp};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The table of routes.
pub fn routes(app: App) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_audit_events::list_audit_events))
        .routes(routes!(get_audit_event::get_audit_event))
        .with_state(app)
}

/// An entry of the audit log; it never changes, but that its personal values can be erased.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEvent {
    id: EventId,
    /// Its place in the log, which only grows.
    #[schema(example = 42)]
    position: i64,
    /// What was done, as in the catalogue of events.
    #[schema(example = "member.role_changed")]
    action: String,
    /// When it was done.
    timestamp: Timestamp,
    /// Who did it: `kind` and, if it has one, `id`.
    #[schema(value_type = Object, example = json!({"kind": "user", "id": "usr_01jhs3n5c8fq7t2v9w4x6y8zab"}))]
    actor: Value,
    /// On whose behalf (RFC 8693, claim `act`).
    #[schema(value_type = Option<Object>)]
    act: Option<Value>,
    /// The id of what it was done to.
    #[schema(example = "usr_01jhs3n5c8fq7t2v9w4x6y8zab")]
    target: Option<String>,
    /// The request that did it, as in `X-Request-Id`.
    request_id: Option<RequestId>,
    /// What changed.
    #[schema(value_type = Object, example = json!({"before": "viewer", "after": "admin"}))]
    data: Value,
    /// Addresses and the like; null when there were none, or they were erased.
    #[schema(value_type = Option<Object>, example = json!({"address": "192.0.2.1"}))]
    personal: Option<Value>,
    /// Of a salt and the personal values, in hexadecimal digits: it stays when they are erased.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    personal_hash: Option<String>,
}

impl From<EntryRow> for AuditEvent {
    fn from(row: EntryRow) -> Self {
        Self {
            id: row.id,
            position: row.position,
            action: row.kind,
            timestamp: row.at,
            actor: row.actor,
            act: row.act,
            target: row.target,
            request_id: row.request_id,
            data: row.data,
            personal: row.personal,
            personal_hash: row.personal_hash.map(hex::encode),
        }
    }
}
