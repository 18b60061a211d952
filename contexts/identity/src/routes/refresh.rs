//! `POST /v1/auth/refresh`

use super::SignedInResponse;
use crate::{Identity, actions::refresh, model::token::RefreshToken};
use api::{Client, Code, Problem, ValidJson, Validate, Violations};
use axum::{Json, extract::State};
use db::Work;
use serde::Deserialize;
use types::OrgId;
use utoipa::ToSchema;

/// A refresh token, and perhaps another organization.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshRequest {
    #[schema(max_length = 200, pattern = "^eap_rt_[0-9a-z]{26}_[0-9A-Za-z]{44}_[0-9A-Za-z]{6}$")]
    refresh_token: String,
    /// The only way to another organization.
    organization_id: Option<OrgId>,
}

impl Validate for RefreshRequest {
    fn validate(&self, errors: &mut Violations) {
        errors.require(self.refresh_token.len() <= 200, "/refresh_token", "length", "is too long");
    }
}

/// Exchange a refresh token for a new pair
///
/// A retry gets the same pair again. A token that is used again later ends its session: somebody copied it.
#[utoipa::path(
    post, path = "/v1/auth/refresh", tag = "sign-in", operation_id = "refresh",
    request_body = RefreshRequest,
    responses(
        (status = 200, body = SignedInResponse, description = "A new pair"),
        (status = 401, description = "The session has ended", content_type = "application/problem+json"),
        (status = 404, description = "No member of that organization", content_type = "application/problem+json"),
    ),
    security(()),
)]
pub(crate) async fn refresh(
    State(identity): State<Identity>,
    client: Client,
    ValidJson(request, _): ValidJson<RefreshRequest>,
) -> Result<Json<SignedInResponse>, Problem> {
    let token = RefreshToken::parse(&identity.app.secrets, &request.refresh_token).ok_or(Code::SessionEnded)?;
    let tx = identity.app.db.system(Work::Refresh).await?;
    let outcome = refresh::run(&identity, &tx, &token, request.organization_id, &client).await?;
    // Also when the session was ended.
    tx.commit().await?;
    Ok(Json(outcome?.into()))
}
