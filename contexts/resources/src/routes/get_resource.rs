//! `GET /v1/resources/{id}`

use super::Resource;
use crate::{Resources, store::resources};
use api::{Can, Code, PathId, Problem, WithEtag};
use axum::extract::State;
use types::{Permission, ResourceId, permission::ReadResources};

/// Read a resource
#[utoipa::path(
    get, path = "/v1/resources/{id}", tag = "resources", operation_id = "get_resource",
    params(("id" = ResourceId, Path, description = "The resource")),
    responses((status = 200, body = Resource, description = "The resource")),
    security(("access_token" = [ReadResources::NAME.as_str()])),
)]
pub(crate) async fn get_resource(
    State(state): State<Resources>,
    Can { caller, .. }: Can<ReadResources>,
    PathId(id): PathId<ResourceId>,
) -> Result<WithEtag<Resource>, Problem> {
    let db = state.app.db.read(caller.org).await?;
    let row = resources::by_id(&db, caller.org, id).await?.ok_or(Code::NotFound)?;
    let of = state.types.name(&db, caller.org, row.type_id).await?;
    Ok(WithEtag { etag: row.version, body: Resource::new(row, &of) })
}
