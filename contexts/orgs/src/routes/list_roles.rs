//! `GET /v1/roles`

use api::{Can, Page};
use serde::Serialize;
use types::{Permission, permission::ReadRoles};
use utoipa::ToSchema;

/// A role and what it allows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RoleAndPermissions {
    #[schema(example = "viewer")]
    name: &'static str,
    /// Whether it comes with the platform.
    built_in: bool,
    #[schema(example = json!(["resources:read"]))]
    permissions: Vec<&'static str>,
}

/// List the roles, from least to most
#[utoipa::path(
    get, path = "/v1/roles", tag = "roles", operation_id = "list_roles",
    responses((status = 200, body = Page<RoleAndPermissions>, description = "All of them")),
    security(("access_token" = [ReadRoles::NAME.as_str()])),
)]
pub(crate) async fn list_roles(_: Can<ReadRoles>) -> Page<RoleAndPermissions> {
    let role = |role: types::Role| RoleAndPermissions {
        name: role.as_str(),
        built_in: true,
        permissions: role.permissions().names().collect(),
    };
    Page::whole(types::Role::ALL.map(role).into())
}
