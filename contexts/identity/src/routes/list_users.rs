//! `GET /v1/users`

use super::get_user::User;
use crate::Identity;
use api::{Can, Cursor, Limit, Page, Problem, ValidQuery, Validate, Violations};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use types::{Permission, UserId, permission::ReadUsers};
use utoipa::{IntoParams, ToSchema};

/// Which people.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListUsersQuery {
    /// People a page
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// `next_cursor` of the page before
    cursor: Option<String>,
    /// Of this status only
    #[param(inline)]
    status: Option<MemberStatus>,
    /// The beginning of their address
    #[param(max_length = 200)]
    q: Option<String>,
}

/// Of a membership.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MemberStatus {
    Active,
    Suspended,
}

impl MemberStatus {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

impl Validate for ListUsersQuery {
    fn validate(&self, errors: &mut Violations) {
        self.limit.validate(errors);
        let fits = self.q.as_ref().is_none_or(|q| q.chars().count() <= 200 && !q.contains('\0'));
        errors.require(fits, "/q", "length", "must have at most 200 characters");
    }
}

/// List the people of the organization, by address
#[utoipa::path(
    get, path = "/v1/users", tag = "users", operation_id = "list_users",
    params(ListUsersQuery),
    responses((status = 200, body = Page<User>, description = "A page")),
    security(("access_token" = [ReadUsers::NAME.as_str()])),
)]
pub(crate) async fn list_users(
    State(identity): State<Identity>,
    Can { caller, .. }: Can<ReadUsers>,
    ValidQuery(query): ValidQuery<ListUsersQuery>,
) -> Result<Page<User>, Problem> {
    let prefix = query.q.unwrap_or_default().to_lowercase();
    let status = query.status.map(MemberStatus::as_str);
    let cursor = Cursor::of("list_users", &(&prefix, status));
    let (key, user) = cursor.decode::<(String, UserId)>(query.cursor.as_deref())?.unwrap_or_else(orgs::start);
    let db = identity.app.db.read(caller.org).await?;
    let until = format!("{prefix}{}", orgs::END);
    let rows = orgs::list_members(&db, &prefix, &until, status, &key, user, query.limit.and_one()).await?;
    Ok(Page::new(rows, query.limit, |row| cursor.encode(&(&row.email_key, row.user_id)), User::from))
}
