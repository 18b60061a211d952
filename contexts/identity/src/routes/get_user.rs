//! `GET /v1/users/{id}`

use crate::Identity;
use api::{Can, Code, PathId, Problem};
use axum::{Json, extract::State};
use orgs::MemberRow;
use serde::Serialize;
use types::{Permission, Timestamp, UserId, permission::ReadUsers};
use utoipa::ToSchema;

/// A person, as the organization sees one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct User {
    id: UserId,
    #[schema(example = "ada@example.com")]
    email: String,
    #[schema(example = "Ada Lovelace")]
    name: Option<String>,
    #[schema(example = "member")]
    role: String,
    /// Of the membership.
    #[schema(example = "active")]
    status: String,
    /// Whether they have a second factor.
    mfa: bool,
    last_seen_at: Option<Timestamp>,
    created_at: Timestamp,
}

impl From<MemberRow> for User {
    fn from(row: MemberRow) -> Self {
        let MemberRow { user_id: id, email, name, role, status, mfa, last_seen_at, created_at, .. } = row;
        Self { id, email, name, role, status, mfa, last_seen_at, created_at }
    }
}

/// A person of the organization
#[utoipa::path(
    get, path = "/v1/users/{id}", tag = "users", operation_id = "get_user",
    params(("id" = UserId, Path, description = "The person")),
    responses((status = 200, body = User, description = "The person")),
    security(("access_token" = [ReadUsers::NAME.as_str()])),
)]
pub(crate) async fn get_user(
    State(identity): State<Identity>,
    Can { caller, .. }: Can<ReadUsers>,
    PathId(id): PathId<UserId>,
) -> Result<Json<User>, Problem> {
    let db = identity.app.db.read(caller.org).await?;
    let row = orgs::by_user(&db, id).await?.ok_or(Code::NotFound)?;
    Ok(Json(row.into()))
}
