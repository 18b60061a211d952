//! `POST /v1/webhooks/messages`

use super::validate_channels;
use crate::{
    Webhooks,
    actions::send_message as action,
    model::event_type::{is_event_type, is_reserved},
};
use api::{Can, Idempotency, Problem, ValidJson, Validate, Violations};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use types::{MessageId, Permission, Timestamp, permission::SendWebhooks};
use utoipa::ToSchema;

/// What receivers take without trouble is far below.
const MAX_DATA: usize = 256 * 1024;

/// A message to one's own endpoints.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendMessageRequest {
    /// An event type of your own: none of the platform's.
    #[serde(rename = "type")]
    #[schema(pattern = "^[A-Za-z0-9_]+(\\.[A-Za-z0-9_]+)*$", max_length = 128, example = "invoice.paid")]
    of: String,
    /// Any JSON object, at most 256 kB.
    #[schema(value_type = Object, example = json!({"invoice": "2025-0042", "amount_cents": 1200}))]
    data: Map<String, Value>,
    /// Endpoints that chose channels get it only if they share one.
    #[serde(default)]
    #[schema(max_items = 64, example = json!(["customer-7"]))]
    channels: Vec<String>,
}

impl Validate for SendMessageRequest {
    fn validate(&self, errors: &mut Violations) {
        let words = "must be words of A-Z a-z 0-9 _ with dots between, at most 128 characters";
        errors.require(is_event_type(&self.of), "/type", "pattern", words);
        errors.require(!is_reserved(&self.of), "/type", "reserved", "is one of the platform's own event types");
        validate_channels(errors, &self.channels);
        let size = serde_json::to_string(&self.data).map_or(usize::MAX, |text| text.len());
        errors.require(size <= MAX_DATA, "/data", "size", "must have at most 256 kB");
    }
}

/// A message that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Message {
    /// The header `webhook-id` of its deliveries.
    id: MessageId,
    #[serde(rename = "type")]
    #[schema(example = "invoice.paid")]
    of: String,
    channels: Vec<String>,
    created_at: Timestamp,
}

/// Send a message to your webhook endpoints
///
/// Once it is answered, it is delivered to every endpoint that wants its type and channels, whatever fails meanwhile.
#[utoipa::path(
    post, path = "/v1/webhooks/messages", tag = "webhooks", operation_id = "send_message",
    params(Idempotency),
    request_body = SendMessageRequest,
    responses((status = 202, body = Message, description = "Taken; deliveries follow"), (status = 409, description = "`in_progress`")),
    security(("access_token" = [SendWebhooks::NAME.as_str()])),
)]
pub(crate) async fn send_message(
    State(state): State<Webhooks>,
    Can { caller, .. }: Can<SendWebhooks>,
    idempotency: Idempotency,
    ValidJson(request, digest): ValidJson<SendMessageRequest>,
) -> Result<Response, Problem> {
    let tx = state.app.db.begin(caller.org).await?;
    if let Some(answer) = idempotency.replay(&tx, &digest).await? {
        return Ok(answer);
    }
    let SendMessageRequest { of, data, channels } = request;
    let data = Value::Object(data);
    let (id, created_at) = action::run(&state, &tx, &caller, (&of, &data, &channels)).await?;
    let taken = (StatusCode::ACCEPTED, Json(Message { id, of, channels, created_at })).into_response();
    let answer = idempotency.keep(&tx, &digest, taken).await?;
    tx.commit().await?;
    Ok(answer)
}
