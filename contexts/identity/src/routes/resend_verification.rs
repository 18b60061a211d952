//! `POST /v1/auth/verify-email/resend`

use super::register::VerificationSent;
use crate::{Identity, actions::register, mail::PER_ADDRESS};
use api::{Code, Problem, ValidJson, Validate, Violations};
use axum::{Json, extract::State, http::StatusCode};
use db::Work;
use serde::Deserialize;
use types::Email;
use utoipa::ToSchema;

/// Whose mail did not arrive.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResendVerificationRequest {
    #[schema(format = "email", example = "ada@example.com")]
    email: String,
}

impl Validate for ResendVerificationRequest {
    fn validate(&self, errors: &mut Violations) {
        errors.require(Email::parse(&self.email).is_ok(), "/email", "not_an_email", "is not an e-mail address");
    }
}

/// Send the mail again
///
/// The link in the mail before is void.
#[utoipa::path(
    post, path = "/v1/auth/verify-email/resend", tag = "sign-in", operation_id = "resend_verification",
    request_body = ResendVerificationRequest,
    responses((status = 202, body = VerificationSent, description = "A mail is on its way, if the address waits for one")),
    security(()),
)]
pub(crate) async fn resend_verification(
    State(identity): State<Identity>,
    ValidJson(request, _): ValidJson<ResendVerificationRequest>,
) -> Result<(StatusCode, Json<VerificationSent>), Problem> {
    let email = Email::parse(&request.email).map_err(|_| Code::Invalid)?;
    identity.can_mail(&email)?;
    identity.app.limits.take(PER_ADDRESS, &email.key())?;
    let tx = identity.app.db.system(Work::Registration).await?;
    register::mail_again(&identity.app, &tx, &email).await?;
    tx.commit().await?;
    identity.mail_waits();
    Ok(VerificationSent::ANSWER)
}
