//! `GET /v1/resource-types`

use super::ResourceType;
use crate::{Resources, model::is_type_name, store::resource_types};
use api::{Can, Code, Cursor, Limit, Page, Problem, ValidQuery, Validate, Violations};
use axum::extract::State;
use serde::Deserialize;
use types::{Permission, permission::ReadResourceTypes};
use utoipa::IntoParams;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListResourceTypesQuery {
    /// Types a page
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// `next_cursor` of the page before
    cursor: Option<String>,
}

impl Validate for ListResourceTypesQuery {
    fn validate(&self, errors: &mut Violations) {
        self.limit.validate(errors);
    }
}

/// List the resource types, by name
#[utoipa::path(
    get, path = "/v1/resource-types", tag = "resource types", operation_id = "list_resource_types",
    params(ListResourceTypesQuery),
    responses((status = 200, body = Page<ResourceType>, description = "A page")),
    security(("access_token" = [ReadResourceTypes::NAME.as_str()])),
)]
pub(crate) async fn list_resource_types(
    State(state): State<Resources>,
    Can { caller, .. }: Can<ReadResourceTypes>,
    ValidQuery(query): ValidQuery<ListResourceTypesQuery>,
) -> Result<Page<ResourceType>, Problem> {
    let cursor = Cursor::of("list_resource_types", &());
    let after = cursor.decode::<String>(query.cursor.as_deref())?.unwrap_or_default();
    if !after.is_empty() && !is_type_name(&after) {
        return Err(Code::InvalidCursor.into());
    }
    let db = state.app.db.read(caller.org).await?;
    let rows = resource_types::list(&db, caller.org, &after, query.limit.and_one()).await?;
    Ok(Page::new(rows, query.limit, |row| cursor.encode(&row.name), ResourceType::from))
}
