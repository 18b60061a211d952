//! `POST /v1/auth/login`

use super::SignedInResponse;
use crate::{Identity, actions::login, model::password};
use api::{Client, Problem, ValidJson, Validate, Violations};
use axum::{Json, extract::State};
use db::Work;
use serde::Deserialize;
use types::OrgId;
use utoipa::ToSchema;

/// Address and password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginRequest {
    #[schema(max_length = 320, example = "test@example.com")]
    email: String,
    #[schema(format = "password", max_length = 1024, example = "test123")]
    password: String,
    /// Without it: the organization used last, else the oldest membership.
    organization_id: Option<OrgId>,
}

impl Validate for LoginRequest {
    fn validate(&self, errors: &mut Violations) {
        errors.require(self.email.chars().count() <= 320, "/email", "length", "is too long");
        errors.require(self.password.chars().count() <= password::MAX_ANY, "/password", "length", "is too long");
    }
}

/// Sign in
#[utoipa::path(
    post, path = "/v1/auth/login", tag = "sign-in", operation_id = "login",
    request_body = LoginRequest,
    responses(
        (status = 200, body = SignedInResponse, description = "Signed in"),
        (status = 401, description = "Address or password is wrong", content_type = "application/problem+json"),
        (status = 404, description = "No member of that organization", content_type = "application/problem+json"),
    ),
    security(()),
)]
pub(crate) async fn login(
    State(identity): State<Identity>,
    client: Client,
    ValidJson(request, _): ValidJson<LoginRequest>,
) -> Result<Json<SignedInResponse>, Problem> {
    let user = login::prove(&identity, &request.email, request.password, &client).await?;
    let tx = identity.app.db.system(Work::Login).await?;
    let signed_in = login::run(&identity, &tx, user, request.organization_id, &client).await?;
    tx.commit().await?;
    Ok(Json(signed_in.into()))
}
