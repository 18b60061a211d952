//! `GET /v1/members`

use super::Member;
use crate::store::memberships;
use api::{App, Can, Cursor, Limit, Page, Problem, ValidQuery, Validate, Violations};
use axum::extract::State;
use serde::Deserialize;
use types::{Permission, UserId, permission::ReadMembers};
use utoipa::IntoParams;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListMembersQuery {
    /// Members a page
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// `next_cursor` of the page before
    cursor: Option<String>,
}

impl Validate for ListMembersQuery {
    fn validate(&self, errors: &mut Violations) {
        self.limit.validate(errors);
    }
}

/// List the members of the organization, by address
#[utoipa::path(
    get, path = "/v1/members", tag = "members", operation_id = "list_members",
    params(ListMembersQuery),
    responses((status = 200, body = Page<Member>, description = "A page")),
    security(("access_token" = [ReadMembers::NAME.as_str()])),
)]
pub(crate) async fn list_members(
    State(app): State<App>,
    Can { caller, .. }: Can<ReadMembers>,
    ValidQuery(query): ValidQuery<ListMembersQuery>,
) -> Result<Page<Member>, Problem> {
    let cursor = Cursor::of("list_members", &());
    let (key, user) = cursor.decode::<(String, UserId)>(query.cursor.as_deref())?.unwrap_or_else(memberships::start);
    let db = app.db.read(caller.org).await?;
    let rows = memberships::list(&db, "", memberships::END, None, &key, user, query.limit.and_one()).await?;
    Ok(Page::new(rows, query.limit, |row| cursor.encode(&(&row.email_key, row.user_id)), Member::from))
}
