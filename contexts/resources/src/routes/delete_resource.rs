//! `DELETE /v1/resources/{id}`

use crate::{
    Resources,
    actions::{delete_resource as action, update_resource::Which},
};
use api::{Can, IfMatch, PathId, Problem};
use axum::{extract::State, http::StatusCode};
use types::{Permission, ResourceId, permission::DeleteResources};

/// Delete a resource
#[utoipa::path(
    delete, path = "/v1/resources/{id}", tag = "resources", operation_id = "delete_resource",
    params(("id" = ResourceId, Path, description = "The resource"), IfMatch),
    responses((status = 204, description = "Gone"), (status = 412, description = "`precondition_failed`")),
    security(("access_token" = [DeleteResources::NAME.as_str()])),
)]
pub(crate) async fn delete_resource(
    State(state): State<Resources>,
    Can { caller, .. }: Can<DeleteResources>,
    PathId(id): PathId<ResourceId>,
    IfMatch(version): IfMatch,
) -> Result<StatusCode, Problem> {
    let tx = state.app.db.begin(caller.org).await?;
    action::run(&state, &tx, &caller, Which { id, version }).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
