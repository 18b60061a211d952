//! `GET /v1/webhooks/endpoints`

use super::Endpoint;
use crate::{Webhooks, store::endpoints};
use api::{Can, Cursor, Limit, Page, Problem, ValidQuery, Validate, Violations};
use axum::extract::State;
use serde::Deserialize;
use types::{EndpointId, Permission, permission::ReadWebhooks};
use utoipa::IntoParams;
use uuid::Uuid;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListEndpointsQuery {
    /// Endpoints a page
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// `next_cursor` of the page before
    cursor: Option<String>,
}

impl Validate for ListEndpointsQuery {
    fn validate(&self, errors: &mut Violations) {
        self.limit.validate(errors);
    }
}

/// List the webhook endpoints, oldest first
#[utoipa::path(
    get, path = "/v1/webhooks/endpoints", tag = "webhooks", operation_id = "list_endpoints",
    params(ListEndpointsQuery),
    responses((status = 200, body = Page<Endpoint>, description = "A page")),
    security(("access_token" = [ReadWebhooks::NAME.as_str()])),
)]
pub(crate) async fn list_endpoints(
    State(state): State<Webhooks>,
    Can { caller, .. }: Can<ReadWebhooks>,
    ValidQuery(query): ValidQuery<ListEndpointsQuery>,
) -> Result<Page<Endpoint>, Problem> {
    let cursor = Cursor::of("list_endpoints", &());
    let after = cursor.decode(query.cursor.as_deref())?.unwrap_or(EndpointId(Uuid::nil()));
    let db = state.app.db.read(caller.org).await?;
    let rows = endpoints::list(&db, caller.org, after, query.limit.and_one()).await?;
    let page = Page::new(rows, query.limit, |row| cursor.encode(&row.id), |row| Endpoint::new(&state.app, row));
    let Page { data, next_cursor, has_more } = page;
    Ok(Page { data: data.into_iter().collect::<Result<_, _>>()?, next_cursor, has_more })
}
