//! `POST /v1/track` and the other calls of Segment's clients, each also by its first letter, as in `/v1/t`.
//!
//! One file for all seven: they differ in a word.

use super::delivery::{AnalyticsReceipt, receive};
use crate::{Analytics, model::event::Kind};
use api::Problem;
use axum::{
    Json,
    extract::{Request, State},
};
use serde_json::Value;
use utoipa::ToSchema;

/// An event, as Segment's clients send it. Any other member is left; one that has no use here rejects the event, not
/// the request.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described: events are read one by one, and a bad one fails alone")]
#[schema(example = json!({"event": "Order Completed", "userId": "u-1", "properties": {"total": 30}}))]
pub(crate) struct AnalyticsCall {
    /// For who cannot send the header `Authorization`.
    #[schema(required = false, rename = "writeKey")]
    write_key: Value,
    /// Text; the same message twice within two days is stored once. Without it the event gets one.
    #[schema(required = false, rename = "messageId")]
    message_id: Value,
    /// Text; an event needs it or `anonymousId`.
    #[schema(required = false, rename = "userId")]
    user_id: Value,
    /// Text.
    #[schema(required = false, rename = "anonymousId")]
    anonymous_id: Value,
    /// When it happened, by the client's clock.
    #[schema(required = false)]
    timestamp: Value,
    /// When it was sent, by the same clock: how much that is off is taken off `timestamp`.
    #[schema(required = false, rename = "sentAt")]
    sent_at: Value,
    /// Of `track`: what happened.
    #[schema(required = false)]
    event: Value,
    /// Of `page` and `screen`: which.
    #[schema(required = false)]
    name: Value,
    /// Of `group`: which.
    #[schema(required = false, rename = "groupId")]
    group_id: Value,
    /// Of `alias`: the id before.
    #[schema(required = false, rename = "previousId")]
    previous_id: Value,
    /// Object.
    #[schema(required = false)]
    properties: Value,
    /// Object; of `identify` and `group`.
    #[schema(required = false)]
    traits: Value,
    /// Object.
    #[schema(required = false)]
    context: Value,
}

/// Events of all kinds, each with its `type`; at most 2,500, 32 kB each, 500 kB in all.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
#[schema(example = json!({"batch": [{"type": "track", "event": "Order Completed", "userId": "u-1"}]}))]
pub(crate) struct AnalyticsBatch {
    /// For who cannot send the header `Authorization`.
    #[schema(rename = "writeKey", required = false)]
    write_key: Value,
    #[schema(max_items = 2_500)]
    batch: Vec<Value>,
    /// When it was sent, by the client's clock.
    #[schema(rename = "sentAt", required = false)]
    sent_at: Value,
}

macro_rules! calls { ($($name:ident, $path:literal, $kind:expr, $body:ty, $title:literal;)*) => { $(
    #[doc = $title]
    ///
    /// Segment's wire format; gzip is taken, and any media type, as a beacon's `text/plain`. What is answered with 200 is stored for good,
    /// but for the events that `rejected` names. Where blockers know this path, the first letter serves, as in `/v1/t`.
    #[utoipa::path(
        post, path = $path, tag = "analytics events", request_body = $body,
        responses((status = 200, body = AnalyticsReceipt, description = "Stored, but for `rejected`")),
        security(("write_key" = [])),
    )]
    pub(crate) async fn $name(
        State(state): State<Analytics>,
        request: Request,
    ) -> Result<Json<AnalyticsReceipt>, Problem> {
        receive(&state, $kind, request).await
    }
)* } }

calls! {
    track, "/v1/track", Some(Kind::Track), AnalyticsCall, "Something happened";
    identify, "/v1/identify", Some(Kind::Identify), AnalyticsCall, "Who somebody is";
    page, "/v1/page", Some(Kind::Page), AnalyticsCall, "A page was seen";
    screen, "/v1/screen", Some(Kind::Screen), AnalyticsCall, "A screen was seen";
    group, "/v1/group", Some(Kind::Group), AnalyticsCall, "Somebody belongs to a group";
    alias, "/v1/alias", Some(Kind::Alias), AnalyticsCall, "Two ids are one person";
    batch, "/v1/batch", None, AnalyticsBatch, "Many events at once";
}
