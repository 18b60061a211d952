//! `GET /v1/users/me`

use crate::{
    Identity,
    store::{users, users::UserRow},
};
use api::{Code, Problem, Session, WithEtag};
use axum::extract::State;
use serde::Serialize;
use types::{Timestamp, UserId};
use utoipa::ToSchema;

/// One's own account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    id: UserId,
    #[schema(example = "ada@example.com")]
    email: String,
    #[schema(example = "Ada Lovelace")]
    name: Option<String>,
    #[schema(example = "active")]
    status: String,
    mfa_enabled: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<UserRow> for Me {
    fn from(row: UserRow) -> Self {
        let UserRow { id, email, name, status, mfa_enabled, created_at, updated_at, .. } = row;
        Self { id, email, name, status, mfa_enabled, created_at, updated_at }
    }
}

/// One's own account
#[utoipa::path(
    get, path = "/v1/users/me", tag = "users", operation_id = "get_me",
    responses((status = 200, body = Me, description = "The account, with its ETag")),
    security(("access_token" = [])),
)]
pub(crate) async fn get_me(
    State(identity): State<Identity>,
    Session { caller }: Session,
) -> Result<WithEtag<Me>, Problem> {
    let tx = identity.app.db.person(caller.user).await?;
    let row = users::own(&tx).await?.ok_or(Code::NotFound)?;
    tx.commit().await?;
    Ok(WithEtag { etag: row.version.into(), body: row.into() })
}
