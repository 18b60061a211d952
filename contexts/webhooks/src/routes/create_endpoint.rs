//! `POST /v1/webhooks/endpoints`

use super::{Endpoint, EndpointWithSecret, check_url, validate_filters, validate_headers, validate_speed};
use crate::{
    Webhooks,
    actions::{Settings, create_endpoint as action},
};
use api::{Can, Created, Idempotency, Problem, ValidJson, Validate, Violations};
use axum::{extract::State, response::Response};
use serde::Deserialize;
use std::collections::BTreeMap;
use types::{Permission, permission::ManageWebhooks};
use utoipa::ToSchema;

/// A new endpoint.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateEndpointRequest {
    /// A public host over HTTPS.
    #[schema(pattern = "^https://", max_length = 2048, example = "https://example.com/hooks")]
    url: String,
    /// Event types, `resource.*` for all that begin so, `*` or none for all.
    #[serde(default)]
    #[schema(max_items = 64, example = json!(["resource.*", "invoice.paid"]))]
    event_types: Vec<String>,
    /// Only messages that share a channel, and no events, which have none; without: whatever the channels.
    #[serde(default)]
    #[schema(max_items = 64, example = json!([]))]
    channels: Vec<String>,
    #[serde(default)]
    #[schema(min_length = 1, max_length = 500, example = "Accounting")]
    description: Option<String>,
    /// Headers that every delivery carries, at most 16; never shown again.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>, example = json!({"authorization": "Bearer for-accounting"}))]
    headers: BTreeMap<String, String>,
    /// Deliveries a second at most, evened out; null: no limit.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10000, example = 50)]
    rate_limit_per_second: Option<i32>,
    /// Deliveries at the same time at most.
    #[serde(default = "default_concurrency")]
    #[schema(minimum = 1, maximum = 100, default = 10, example = 10)]
    max_concurrency: i32,
    #[serde(default = "default_enabled")]
    #[schema(default = true)]
    enabled: bool,
}

const fn default_concurrency() -> i32 {
    10
}

const fn default_enabled() -> bool {
    true
}

impl Validate for CreateEndpointRequest {
    fn validate(&self, errors: &mut Violations) {
        validate_filters(errors, &self.event_types, &self.channels);
        if let Some(description) = &self.description {
            errors.text("/description", description, 1..=500);
        }
        validate_headers(errors, self.headers.iter().map(|(name, value)| (name, Some(value))));
        validate_speed(errors, self.rate_limit_per_second, Some(self.max_concurrency));
    }
}

impl From<CreateEndpointRequest> for Settings {
    fn from(request: CreateEndpointRequest) -> Self {
        Self {
            url: request.url,
            event_types: request.event_types,
            channels: request.channels,
            description: request.description,
            headers: request.headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect(),
            rate_limit: request.rate_limit_per_second,
            max_concurrency: request.max_concurrency,
            enabled: request.enabled,
        }
    }
}

/// Make a webhook endpoint
///
/// The answer shows its signing secret, this once. Deliveries follow the Standard Webhooks specification.
#[utoipa::path(
    post, path = "/v1/webhooks/endpoints", tag = "webhooks", operation_id = "create_endpoint",
    params(Idempotency),
    request_body = CreateEndpointRequest,
    responses((status = 201, body = EndpointWithSecret, description = "Made"), (status = 409, description = "`conflict`")),
    security(("access_token" = [ManageWebhooks::NAME.as_str()])),
)]
pub(crate) async fn create_endpoint(
    State(state): State<Webhooks>,
    Can { caller, .. }: Can<ManageWebhooks>,
    idempotency: Idempotency,
    ValidJson(request, digest): ValidJson<CreateEndpointRequest>,
) -> Result<Response, Problem> {
    let tx = state.app.db.begin(caller.org).await?;
    if let Some(answer) = idempotency.replay(&tx, &digest).await? {
        return Ok(answer);
    }
    check_url(&state, &tx, &request.url).await?;
    let (row, secret) = action::run(&state, &tx, &caller, request.into()).await?;
    let created = Created {
        location: format!("/v1/webhooks/endpoints/{}", row.id),
        etag: row.version.into(),
        body: EndpointWithSecret::new(Endpoint::new(&state.app, row)?, &secret),
    };
    let answer = idempotency.keep(&tx, &digest, created).await?;
    tx.commit().await?;
    Ok(answer)
}
