//! `GET /v1/resource-types/{name}`

use super::{ResourceType, TypeName};
use crate::{Resources, store::resource_types};
use api::{Can, Code, PathId, Problem, WithEtag};
use axum::extract::State;
use types::{Permission, permission::ReadResourceTypes};

/// Read a resource type
#[utoipa::path(
    get, path = "/v1/resource-types/{name}", tag = "resource types", operation_id = "get_resource_type",
    params(("name" = String, Path, description = "The type's name")),
    responses((status = 200, body = ResourceType, description = "The type")),
    security(("access_token" = [ReadResourceTypes::NAME.as_str()])),
)]
pub(crate) async fn get_resource_type(
    State(state): State<Resources>,
    Can { caller, .. }: Can<ReadResourceTypes>,
    PathId(TypeName(name)): PathId<TypeName>,
) -> Result<WithEtag<ResourceType>, Problem> {
    let db = state.app.db.read(caller.org).await?;
    let row = resource_types::by_name(&db, caller.org, &name).await?.ok_or(Code::NotFound)?;
    Ok(WithEtag { etag: row.version.into(), body: row.into() })
}
