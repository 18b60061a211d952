//! The routes of this context.

mod change_member;
mod create_organization;
mod get_organization;
mod list_members;
mod list_organizations;
mod list_permissions;
mod list_roles;
mod update_organization;

use crate::{MemberRow, OrganizationRow};
use api::App;
use serde::{Deserialize, Deserializer, Serialize};
use types::{OrgId, Timestamp, UserId};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The table of routes.
pub fn routes(app: App) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(create_organization::create_organization, list_organizations::list_organizations))
        .routes(routes!(get_organization::get_organization, update_organization::update_organization))
        .routes(routes!(list_members::list_members))
        .routes(routes!(change_member::change_member))
        .routes(routes!(list_roles::list_roles))
        .routes(routes!(list_permissions::list_permissions))
        .with_state(app)
}

/// A member that may be absent but not null: a merge patch cannot remove it.
pub(crate) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// An organization.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Organization {
    id: OrgId,
    #[schema(example = "Acme")]
    name: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<OrganizationRow> for Organization {
    fn from(row: OrganizationRow) -> Self {
        Self { id: row.id, name: row.name, created_at: row.created_at, updated_at: row.updated_at }
    }
}

/// A member of the token's organization.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Member {
    user_id: UserId,
    #[schema(example = "ada@example.com")]
    email: String,
    #[schema(example = "Ada Lovelace")]
    name: Option<String>,
    #[schema(example = "member")]
    role: String,
    #[schema(example = "active")]
    status: String,
    last_seen_at: Option<Timestamp>,
    created_at: Timestamp,
}

impl From<MemberRow> for Member {
    fn from(row: MemberRow) -> Self {
        let MemberRow { user_id, email, name, role, status, last_seen_at, created_at, .. } = row;
        Self { user_id, email, name, role, status, last_seen_at, created_at }
    }
}
