//! `POST /v1/organizations`

use super::Organization;
use crate::{
    actions::found_organization::{Founder, found},
    store::organizations,
};
use api::{App, Code, Created, Idempotency, Problem, Session, ValidJson, Validate, Violations};
use axum::{extract::State, response::Response};
use db::Work;
use serde::Deserialize;
use utoipa::ToSchema;

/// A new organization.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateOrganizationRequest {
    #[schema(min_length = 1, max_length = 200, example = "Acme")]
    name: String,
}

impl Validate for CreateOrganizationRequest {
    fn validate(&self, errors: &mut Violations) {
        errors.text("/name", &self.name, 1..=200);
    }
}

/// Create an organization
///
/// The caller becomes its owner. To work in it, refresh the token with its id.
#[utoipa::path(
    post, path = "/v1/organizations", tag = "organizations", operation_id = "create_organization",
    params(Idempotency),
    request_body = CreateOrganizationRequest,
    responses((status = 201, body = Organization, description = "Made")),
    security(("access_token" = [])),
)]
pub(crate) async fn create_organization(
    State(app): State<App>,
    Session { caller }: Session,
    idempotency: Idempotency,
    ValidJson(request, digest): ValidJson<CreateOrganizationRequest>,
) -> Result<Response, Problem> {
    let tx = app.db.system(Work::Registration).await?;
    if let Some(answer) = idempotency.replay(&tx, &digest).await? {
        return Ok(answer);
    }
    let person = organizations::person(&tx, caller.user).await?.ok_or(Code::Unauthenticated)?;
    let founder = Founder {
        user: caller.user,
        email: person.email,
        email_key: person.email_key,
        name: person.name,
        request: Some(caller.request_id),
    };
    let organization = found(&app, &tx, &request.name, &founder).await?;
    let created = Created {
        location: "/v1/organization".to_owned(),
        etag: organization.version.into(),
        body: Organization::from(organization),
    };
    let answer = idempotency.keep(&tx, &digest, created).await?;
    tx.commit().await?;
    Ok(answer)
}
