//! `PATCH /v1/members/{user_id}`

use super::Member;
use crate::{actions::change_role, store::memberships};
use api::{App, Can, Code, PathId, Problem, ValidJson, Validate, Violations};
use axum::{Json, extract::State};
use serde::Deserialize;
use types::{Permission, Role, UserId, permission::ManageMembers};
use utoipa::ToSchema;

/// What changes; what is not named stays (RFC 7396).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeMemberRequest {
    #[serde(default, deserialize_with = "super::given")]
    #[schema(nullable = false)]
    role: Option<Role>,
}

impl Validate for ChangeMemberRequest {
    fn validate(&self, _: &mut Violations) {}
}

/// Change a member's role
///
/// Tokens with the old role are refused within a second; refreshing heals them.
#[utoipa::path(
    patch, path = "/v1/members/{user_id}", tag = "members", operation_id = "change_member",
    params(("user_id" = UserId, Path, description = "The member")),
    request_body = ChangeMemberRequest,
    responses(
        (status = 200, body = Member, description = "As they are now"),
        (status = 409, description = "An organization keeps at least one owner", content_type = "application/problem+json"),
    ),
    security(("access_token" = [ManageMembers::NAME.as_str()])),
)]
pub(crate) async fn change_member(
    State(app): State<App>,
    Can { caller, .. }: Can<ManageMembers>,
    PathId(member): PathId<UserId>,
    ValidJson(request, _): ValidJson<ChangeMemberRequest>,
) -> Result<Json<Member>, Problem> {
    let tx = app.db.begin(caller.org).await?;
    if let Some(role) = request.role {
        change_role::run(&app, &tx, &caller, member, role).await?;
    }
    let row = memberships::by_user(&tx, member).await?.ok_or(Code::NotFound)?;
    tx.commit().await?;
    Ok(Json(row.into()))
}
