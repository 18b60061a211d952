//! `POST /v1/webhooks/endpoints/{id}/rotate`

use super::{Endpoint, EndpointWithSecret};
use crate::{Webhooks, actions::rotate_secret};
use api::{Can, PathId, Problem, ValidJson, Validate, Violations, WithEtag};
use axum::extract::State;
use serde::Deserialize;
use std::time::Duration;
use types::{EndpointId, Permission, permission::ManageWebhooks};
use utoipa::ToSchema;

const DAY: u64 = 24 * 60 * 60;

/// How to rotate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateEndpointSecretRequest {
    /// For how long the secret of before signs too; a day when not said, a week at most.
    #[serde(default = "day")]
    #[schema(minimum = 0, maximum = 604_800, default = 86_400, example = 86_400)]
    overlap_seconds: u64,
}

const fn day() -> u64 {
    DAY
}

impl Validate for RotateEndpointSecretRequest {
    fn validate(&self, errors: &mut Violations) {
        let fits = self.overlap_seconds <= 7 * DAY;
        errors.require(fits, "/overlap_seconds", "range", "must be from 0 to 604800");
    }
}

/// Give an endpoint another signing secret
///
/// The answer shows it, this once. Until the overlap ends, deliveries carry a signature by each of the two.
#[utoipa::path(
    post, path = "/v1/webhooks/endpoints/{id}/rotate", tag = "webhooks", operation_id = "rotate_endpoint_secret",
    params(("id" = EndpointId, Path, description = "The endpoint")),
    request_body = RotateEndpointSecretRequest,
    responses((status = 200, body = EndpointWithSecret, description = "With its new secret")),
    security(("access_token" = [ManageWebhooks::NAME.as_str()])),
)]
pub(crate) async fn rotate_endpoint_secret(
    State(state): State<Webhooks>,
    Can { caller, .. }: Can<ManageWebhooks>,
    PathId(id): PathId<EndpointId>,
    ValidJson(request, _): ValidJson<RotateEndpointSecretRequest>,
) -> Result<WithEtag<EndpointWithSecret>, Problem> {
    let tx = state.app.db.begin(caller.org).await?;
    let overlap = Duration::from_secs(request.overlap_seconds);
    let (row, secret) = rotate_secret::run(&state, &tx, &caller, id, overlap).await?;
    tx.commit().await?;
    let etag = row.version.into();
    Ok(WithEtag { etag, body: EndpointWithSecret::new(Endpoint::new(&state.app, row)?, &secret) })
}
