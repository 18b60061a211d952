//! `PATCH /v1/organization`

use super::Organization;
use crate::store::organizations;
use api::{App, Can, Code, IfMatch, Problem, ValidJson, Validate, Violations, WithEtag};
use axum::extract::State;
use events::Kind;
use serde::Deserialize;
use serde_json::json;
use types::{Permission, permission::UpdateOrg};
use utoipa::ToSchema;

/// What changes; what is not named stays (RFC 7396).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateOrganizationRequest {
    #[serde(default, deserialize_with = "super::given")]
    #[schema(min_length = 1, max_length = 200, example = "Acme Europe", nullable = false)]
    name: Option<String>,
}

impl Validate for UpdateOrganizationRequest {
    fn validate(&self, errors: &mut Violations) {
        if let Some(name) = &self.name {
            errors.text("/name", name, 1..=200);
        }
    }
}

/// Change the token's organization
#[utoipa::path(
    patch, path = "/v1/organization", tag = "organizations", operation_id = "update_organization",
    params(IfMatch),
    request_body = UpdateOrganizationRequest,
    responses(
        (status = 200, body = Organization, description = "As it is now, with its ETag"),
    ),
    security(("access_token" = [UpdateOrg::NAME.as_str()])),
)]
pub(crate) async fn update_organization(
    State(app): State<App>,
    Can { caller, .. }: Can<UpdateOrg>,
    if_match: IfMatch,
    ValidJson(request, _): ValidJson<UpdateOrganizationRequest>,
) -> Result<WithEtag<Organization>, Problem> {
    let tx = app.db.begin(caller.org).await?;
    let current = organizations::own_to_change(&tx).await?.ok_or(Code::NotFound)?;
    if_match.check(current.version.into())?;
    let changed = request.name.filter(|name| *name != current.name);
    let row = match changed {
        None => current,
        Some(name) => {
            let data = json!({ "before": { "name": current.name }, "after": { "name": name } });
            tx.emit(caller.event(Kind::OrganizationUpdated, &app).target(&caller.org).data(data).into());
            organizations::rename(&tx, &name, app.clock.now()).await?
        }
    };
    tx.commit().await?;
    Ok(WithEtag { etag: row.version.into(), body: row.into() })
}
