//! `DELETE /v1/resource-types/{name}`

use super::TypeName;
use crate::{Resources, actions::delete_type};
use api::{Can, PathId, Problem};
use axum::{extract::State, http::StatusCode};
use types::{Permission, permission::ManageResourceTypes};

/// Delete a resource type that has no resources
#[utoipa::path(
    delete, path = "/v1/resource-types/{name}", tag = "resource types", operation_id = "delete_resource_type",
    params(("name" = String, Path, description = "The type's name")),
    responses((status = 204, description = "Gone"), (status = 409, description = "`still_in_use`")),
    security(("access_token" = [ManageResourceTypes::NAME.as_str()])),
)]
pub(crate) async fn delete_resource_type(
    State(state): State<Resources>,
    Can { caller, .. }: Can<ManageResourceTypes>,
    PathId(TypeName(name)): PathId<TypeName>,
) -> Result<StatusCode, Problem> {
    let tx = state.app.db.begin(caller.org).await?;
    delete_type::run(&state, &tx, &caller, &name).await?;
    tx.commit().await?;
    state.types.forget(caller.org, &name);
    Ok(StatusCode::NO_CONTENT)
}
