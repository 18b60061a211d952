//! `GET /v1/organization`

use super::Organization;
use crate::store::organizations;
use api::{App, Can, Code, Problem, WithEtag};
use axum::extract::State;
use types::{Permission, permission::ReadOrg};

/// The token's organization
#[utoipa::path(
    get, path = "/v1/organization", tag = "organizations", operation_id = "get_organization",
    responses((status = 200, body = Organization, description = "The organization, with its ETag")),
    security(("access_token" = [ReadOrg::NAME.as_str()])),
)]
pub(crate) async fn get_organization(
    State(app): State<App>,
    Can { caller, .. }: Can<ReadOrg>,
) -> Result<WithEtag<Organization>, Problem> {
    let row = organizations::own(&app.db.read(caller.org).await?).await?.ok_or(Code::NotFound)?;
    Ok(WithEtag { etag: row.version.into(), body: row.into() })
}
