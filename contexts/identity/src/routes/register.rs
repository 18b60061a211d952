//! `POST /v1/auth/register`

use crate::{
    Identity,
    actions::register::{self, Registration},
    mail::PER_ADDRESS,
    model::password,
};
use api::{Code, Problem, ValidJson, Validate, Violations};
use axum::{Json, extract::State, http::StatusCode};
use db::Work;
use serde::{Deserialize, Serialize};
use types::Email;
use utoipa::ToSchema;

/// A new account, and the organization that comes with it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegisterRequest {
    #[schema(format = "email", example = "ada@example.com")]
    email: String,
    #[schema(format = "password", min_length = 12, max_length = 128, example = "a long enough phrase")]
    password: String,
    #[schema(min_length = 1, max_length = 200, example = "Ada Lovelace")]
    name: Option<String>,
    #[schema(min_length = 1, max_length = 200, example = "Analytical Engines")]
    organization_name: Option<String>,
}

impl Validate for RegisterRequest {
    fn validate(&self, errors: &mut Violations) {
        errors.require(Email::parse(&self.email).is_ok(), "/email", "not_an_email", "is not an e-mail address");
        password::validate_new("/password", &self.password, Some(&self.email), errors);
        for (pointer, text) in [("/name", &self.name), ("/organization_name", &self.organization_name)] {
            if let Some(text) = text {
                errors.text(pointer, text, 1..=200);
            }
        }
    }
}

/// A mail is on its way, whether or not the address was known.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VerificationSent {
    #[schema(example = "verification_sent")]
    status: &'static str,
}

impl VerificationSent {
    pub(crate) const ANSWER: (StatusCode, Json<Self>) =
        (StatusCode::ACCEPTED, Json(Self { status: "verification_sent" }));
}

/// Ask for an account
///
/// The answer is the same whether the address is known or not; the mail tells.
#[utoipa::path(
    post, path = "/v1/auth/register", tag = "sign-in", operation_id = "register",
    request_body = RegisterRequest,
    responses((status = 202, body = VerificationSent, description = "A mail is on its way")),
    security(()),
)]
pub(crate) async fn register(
    State(identity): State<Identity>,
    ValidJson(request, _): ValidJson<RegisterRequest>,
) -> Result<(StatusCode, Json<VerificationSent>), Problem> {
    let email = Email::parse(&request.email).map_err(|_| Code::Invalid)?;
    identity.can_mail(&email)?;
    identity.app.limits.take(PER_ADDRESS, &email.key())?;
    let password_hash = identity.hasher.hash(request.password).await.map_err(|_| Code::Overloaded)?;
    let tx = identity.app.db.system(Work::Registration).await?;
    let registration =
        Registration { email, name: request.name, organization_name: request.organization_name, password_hash };
    register::run(&identity.app, &tx, &registration).await?;
    tx.commit().await?;
    identity.mail_waits();
    Ok(VerificationSent::ANSWER)
}
