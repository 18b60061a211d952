//! `PATCH /v1/webhooks/endpoints/{id}`

use super::{Endpoint, check_url, given, validate_filters, validate_headers, validate_speed};
use crate::{
    Webhooks,
    actions::update_endpoint::{self, Changes, Removable},
};
use api::{Can, IfMatch, PathId, Problem, ValidJson, Validate, Violations, WithEtag};
use axum::extract::State;
use serde::Deserialize;
use std::collections::BTreeMap;
use types::{EndpointId, Permission, permission::ManageWebhooks};
use utoipa::ToSchema;

/// What changes of an endpoint; what is not named stays (RFC 7396).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PatchEndpointRequest {
    #[serde(default, deserialize_with = "given")]
    #[schema(pattern = "^https://", max_length = 2048, nullable = false, example = "https://example.com/hooks")]
    url: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(max_items = 64, nullable = false, example = json!(["resource.*"]))]
    event_types: Option<Vec<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(max_items = 64, nullable = false, example = json!([]))]
    channels: Option<Vec<String>>,
    /// Null removes it.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 500, example = "Accounting")]
    description: Removable<String>,
    /// A value sets a header, null removes it, the others stay.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Option<String>>, example = json!({"authorization": null}))]
    headers: BTreeMap<String, Option<String>>,
    /// Null removes it.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 10000, example = 50)]
    rate_limit_per_second: Removable<i32>,
    #[serde(default, deserialize_with = "given")]
    #[schema(minimum = 1, maximum = 100, nullable = false, example = 10)]
    max_concurrency: Option<i32>,
    /// Enabling it again forgets that it failed.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    enabled: Option<bool>,
}

impl Validate for PatchEndpointRequest {
    fn validate(&self, errors: &mut Violations) {
        let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
        validate_filters(errors, &list(&self.event_types), &list(&self.channels));
        if let Some(description) = self.description.value() {
            errors.text("/description", description, 1..=500);
        }
        validate_headers(errors, self.headers.iter().map(|(name, value)| (name, value.as_ref())));
        validate_speed(errors, self.rate_limit_per_second.value().copied(), self.max_concurrency);
    }
}

impl From<PatchEndpointRequest> for Changes {
    fn from(request: PatchEndpointRequest) -> Self {
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

/// Change a webhook endpoint
#[utoipa::path(
    patch, path = "/v1/webhooks/endpoints/{id}", tag = "webhooks", operation_id = "patch_endpoint",
    params(("id" = EndpointId, Path, description = "The endpoint"), IfMatch),
    request_body = PatchEndpointRequest,
    responses(
        (status = 200, body = Endpoint, description = "As it is now"), (status = 412, description = "`precondition_failed`"),
    ),
    security(("access_token" = [ManageWebhooks::NAME.as_str()])),
)]
pub(crate) async fn patch_endpoint(
    State(state): State<Webhooks>,
    Can { caller, .. }: Can<ManageWebhooks>,
    PathId(id): PathId<EndpointId>,
    IfMatch(version): IfMatch,
    ValidJson(request, _): ValidJson<PatchEndpointRequest>,
) -> Result<WithEtag<Endpoint>, Problem> {
    let tx = state.app.db.begin(caller.org).await?;
    if let Some(url) = &request.url {
        check_url(&state, &tx, url).await?;
    }
    let row = update_endpoint::run(&state, &tx, &caller, (id, version), request.into()).await?;
    tx.commit().await?;
    state.due.notify_one();
    Ok(WithEtag { etag: row.version.into(), body: Endpoint::new(&state.app, row)? })
}
