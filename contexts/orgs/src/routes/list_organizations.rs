//! `GET /v1/organizations`

use super::Organization;
use crate::store::organizations;
use api::{App, Cursor, Limit, Page, Problem, Session, ValidQuery, Validate, Violations};
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListOrganizationsQuery {
    /// Organizations a page
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// `next_cursor` of the page before
    cursor: Option<String>,
}

impl Validate for ListOrganizationsQuery {
    fn validate(&self, errors: &mut Violations) {
        self.limit.validate(errors);
    }
}

/// List one's own organizations
#[utoipa::path(
    get, path = "/v1/organizations", tag = "organizations", operation_id = "list_organizations",
    params(ListOrganizationsQuery),
    responses((status = 200, body = Page<Organization>, description = "A page")),
    security(("access_token" = [])),
)]
pub(crate) async fn list_organizations(
    State(app): State<App>,
    Session { caller }: Session,
    ValidQuery(query): ValidQuery<ListOrganizationsQuery>,
) -> Result<Page<Organization>, Problem> {
    let cursor = Cursor::of("list_organizations", &());
    let after = cursor.decode(query.cursor.as_deref())?;
    let tx = app.db.person(caller.user).await?;
    let rows = organizations::of_person(&tx, after, query.limit.and_one()).await?;
    tx.commit().await?;
    Ok(Page::new(rows, query.limit, |row| cursor.encode(&row.id), Organization::from))
}
