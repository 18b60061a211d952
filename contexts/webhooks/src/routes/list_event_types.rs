//! `GET /v1/webhooks/event-types`

use crate::model::event_type;
use api::{Can, Page};
use serde::Serialize;
use types::{Permission, permission::ReadWebhooks};
use utoipa::ToSchema;

/// A type of events that the platform tells endpoints.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventType {
    #[serde(rename = "type")]
    #[schema(example = "resource.created")]
    of: &'static str,
    #[schema(example = "A resource was made.")]
    description: &'static str,
    /// What an endpoint names to get this and all that begin alike.
    #[schema(example = "resource.*")]
    wildcard: String,
}

/// List the platform's event types
///
/// Messages of your own (`send_message`) have types of your own besides.
#[utoipa::path(
    get, path = "/v1/webhooks/event-types", tag = "webhooks", operation_id = "list_event_types",
    responses((status = 200, body = Page<EventType>, description = "All of them")),
    security(("access_token" = [ReadWebhooks::NAME.as_str()])),
)]
pub(crate) async fn list_event_types(_: Can<ReadWebhooks>) -> Page<EventType> {
    let types = event_type::told().map(|kind| EventType {
        of: kind.as_str(),
        description: kind.meaning(),
        wildcard: format!("{}.*", kind.as_str().split('.').next().unwrap_or_default()),
    });
    Page::whole(types.collect())
}
