//! `GET /v1/analytics/sources`

use super::AnalyticsSource;
use crate::{Analytics, store::sources};
use api::{Can, Cursor, Limit, Page, Problem, ValidQuery, Validate, Violations};
use axum::extract::State;
use serde::Deserialize;
use types::{Permission, SourceId, Uuid, permission::ReadAnalytics};
use utoipa::IntoParams;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListAnalyticsSourcesQuery {
    /// Sources a page
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// `next_cursor` of the page before
    cursor: Option<String>,
}

impl Validate for ListAnalyticsSourcesQuery {
    fn validate(&self, errors: &mut Violations) {
        self.limit.validate(errors);
    }
}

/// List the sources of analytics events, oldest first
#[utoipa::path(
    get, path = "/v1/analytics/sources", tag = "analytics", operation_id = "list_analytics_sources",
    params(ListAnalyticsSourcesQuery),
    responses((status = 200, body = Page<AnalyticsSource>, description = "A page")),
    security(("access_token" = [ReadAnalytics::NAME.as_str()])),
)]
pub(crate) async fn list_analytics_sources(
    State(state): State<Analytics>,
    Can { caller, .. }: Can<ReadAnalytics>,
    ValidQuery(query): ValidQuery<ListAnalyticsSourcesQuery>,
) -> Result<Page<AnalyticsSource>, Problem> {
    let cursor = Cursor::of("list_analytics_sources", &());
    let after = cursor.decode::<SourceId>(query.cursor.as_deref())?.unwrap_or(SourceId(Uuid::nil()));
    let db = state.app.db.read(caller.org).await?;
    let rows = sources::list(&db, caller.org, after, query.limit.and_one()).await?;
    Ok(Page::new(rows, query.limit, |row| cursor.encode(&row.id), AnalyticsSource::from))
}
