//! `POST /v1/auth/verify-email`

use super::SignedInResponse;
use crate::{Identity, actions::verify_email, mail::parse_verification_token, model::password};
use api::{Client, Code, Problem, ValidJson, Validate, Violations};
use axum::{Json, extract::State};
use db::Work;
use serde::Deserialize;
use utoipa::ToSchema;

/// The proof: what was mailed, and what was chosen.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyEmailRequest {
    /// From the link, after `#token=`.
    #[schema(pattern = "^[0-9A-Za-z_-]{64}$")]
    token: String,
    /// The one chosen when registering.
    #[schema(format = "password", max_length = 1024, example = "a long enough phrase")]
    password: String,
}

impl Validate for VerifyEmailRequest {
    fn validate(&self, errors: &mut Violations) {
        errors.require(self.password.chars().count() <= password::MAX_ANY, "/password", "length", "is too long");
    }
}

/// Prove the address
///
/// Makes the account and its organization, and signs in.
#[utoipa::path(
    post, path = "/v1/auth/verify-email", tag = "sign-in", operation_id = "verify_email",
    request_body = VerifyEmailRequest,
    responses(
        (status = 200, body = SignedInResponse, description = "Signed in"),
        (status = 400, description = "Token and password do not belong together, or the body is malformed",
            content_type = "application/problem+json"),
    ),
    security(()),
)]
pub(crate) async fn verify_email(
    State(identity): State<Identity>,
    client: Client,
    ValidJson(request, _): ValidJson<VerifyEmailRequest>,
) -> Result<Json<SignedInResponse>, Problem> {
    let token = parse_verification_token(&request.token).ok_or(Code::InvalidToken)?;
    verify_email::prove(&identity, &token, request.password).await?;
    let tx = identity.app.db.system(Work::Registration).await?;
    let signed_in = verify_email::run(&identity, &tx, &token, &client).await?;
    tx.commit().await?;
    Ok(Json(signed_in.into()))
}
