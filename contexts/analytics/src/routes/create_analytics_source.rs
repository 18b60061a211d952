//! `POST /v1/analytics/sources`

use super::{AnalyticsSource, validate_name, validate_origins};
use crate::{Analytics, actions::create_source};
use api::{Can, Created, Idempotency, Problem, ValidJson, Validate, Violations};
use axum::{extract::State, response::Response};
use serde::Deserialize;
use types::{Permission, permission::ManageAnalytics};
use utoipa::ToSchema;

/// A new source.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateAnalyticsSourceRequest {
    #[schema(min_length = 1, max_length = 100, example = "Website")]
    name: String,
    /// Pages that may send, as in `https://example.com`; without any: all. Requests without `Origin` are no page's
    #[serde(default)]
    #[schema(max_items = 50, example = json!(["https://example.com"]))]
    allowed_origins: Vec<String>,
}

impl Validate for CreateAnalyticsSourceRequest {
    fn validate(&self, errors: &mut Violations) {
        validate_name(&self.name, errors);
        validate_origins(&self.allowed_origins, errors);
    }
}

/// Create a source of analytics events
///
/// Its write key is public: it can only append events.
#[utoipa::path(
    post, path = "/v1/analytics/sources", tag = "analytics", operation_id = "create_analytics_source",
    params(Idempotency),
    request_body = CreateAnalyticsSourceRequest,
    responses((status = 201, body = AnalyticsSource, description = "Made")),
    security(("access_token" = [ManageAnalytics::NAME.as_str()])),
)]
pub(crate) async fn create_analytics_source(
    State(state): State<Analytics>,
    Can { caller, .. }: Can<ManageAnalytics>,
    idempotency: Idempotency,
    ValidJson(request, digest): ValidJson<CreateAnalyticsSourceRequest>,
) -> Result<Response, Problem> {
    let tx = state.app.db.begin(caller.org).await?;
    if let Some(answer) = idempotency.replay(&tx, &digest).await? {
        return Ok(answer);
    }
    let row = create_source::run(&state, &tx, &caller, (&request.name, &request.allowed_origins)).await?;
    let created = Created {
        location: format!("/v1/analytics/sources/{}", row.id),
        etag: row.version.into(),
        body: AnalyticsSource::from(row),
    };
    let answer = idempotency.keep(&tx, &digest, created).await?;
    tx.commit().await?;
    Ok(answer)
}
