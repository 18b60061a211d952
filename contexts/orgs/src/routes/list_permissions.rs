//! `GET /v1/permissions`

use api::{Can, Page};
use serde::Serialize;
use types::{Permission, PermissionName, permission::ReadRoles};
use utoipa::ToSchema;

/// An entry of the catalogue of permissions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PermissionMeaning {
    #[schema(example = "resources:read")]
    name: &'static str,
    #[schema(example = "Read resources.")]
    meaning: &'static str,
}

/// List the permissions that roles are made of
#[utoipa::path(
    get, path = "/v1/permissions", tag = "roles", operation_id = "list_permissions",
    responses((status = 200, body = Page<PermissionMeaning>, description = "All of them")),
    security(("access_token" = [ReadRoles::NAME.as_str()])),
)]
pub(crate) async fn list_permissions(_: Can<ReadRoles>) -> Page<PermissionMeaning> {
    let entry = |one: &PermissionName| PermissionMeaning { name: one.as_str(), meaning: one.meaning() };
    Page::whole(PermissionName::ALL.iter().map(entry).collect())
}
