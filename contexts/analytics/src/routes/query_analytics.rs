//! `POST /v1/analytics/query`

use crate::{
    Analytics,
    actions::query::{self, Unit},
    model::trend::{Interval, Span},
};
use api::{Can, Problem, ValidJson, Validate, Violations};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use types::{Permission, Timestamp, permission::ReadAnalytics};
use utoipa::ToSchema;

/// A question about events.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueryAnalyticsRequest {
    #[expect(dead_code, reason = "there is one kind; others will come")]
    kind: QueryKind,
    /// The name of `track` events.
    #[schema(example = "Order Completed")]
    event: String,
    /// The first point is the hour or day, in UTC, that this lies in.
    #[schema(example = "2025-01-10T00:00:00Z")]
    since: Timestamp,
    /// The end, excluded. At most 31 days by the hour, 366 by the day.
    #[schema(example = "2025-01-17T00:00:00Z")]
    until: Timestamp,
    interval: Interval,
    unit: AnalyticsUnit,
}

/// What is asked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum QueryKind {
    /// A value for each hour or day.
    Trend,
}

/// What a trend counts.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AnalyticsUnit {
    /// How often it happened.
    Events,
    /// How many different people it happened to: by user id, else by anonymous id. Exact.
    Uniques,
}

impl Validate for QueryAnalyticsRequest {
    fn validate(&self, errors: &mut Violations) {
        let is_bounded = Span::of(self.since, self.until, self.interval).is_some();
        errors.require(
            is_bounded,
            "/until",
            "range",
            "must be after since, by at most 31 days by hour or 366 by day; since must not be before 2000",
        );
    }
}

/// A trend.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnalyticsTrend {
    /// The beginning of the first point.
    since: Timestamp,
    /// The end of the last point.
    until: Timestamp,
    interval: Interval,
    /// Every hour or day of the span, also those without events.
    data: Vec<AnalyticsPoint>,
}

/// The value of an hour or a day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnalyticsPoint {
    /// Its beginning.
    at: Timestamp,
    value: i64,
}

/// Ask about analytics events
///
/// How often an event happened, or to how many people, by the hour or the day: by when it happened, in UTC.
#[utoipa::path(
    post, path = "/v1/analytics/query", tag = "analytics", operation_id = "query_analytics",
    request_body = QueryAnalyticsRequest,
    responses((status = 200, body = AnalyticsTrend, description = "The answer")),
    security(("access_token" = [ReadAnalytics::NAME.as_str()])),
)]
pub(crate) async fn query_analytics(
    State(state): State<Analytics>,
    Can { caller, .. }: Can<ReadAnalytics>,
    ValidJson(request, _): ValidJson<QueryAnalyticsRequest>,
) -> Result<Json<AnalyticsTrend>, Problem> {
    let QueryAnalyticsRequest { event, since, until, interval, unit, .. } = request;
    let unit = match unit {
        AnalyticsUnit::Events => Unit::Events,
        AnalyticsUnit::Uniques => Unit::Uniques,
    };
    let refusal = || Problem::value("/until", "range", "must be after since, and not too far");
    let span = Span::of(since, until, interval).ok_or_else(refusal)?;
    let db = state.app.db.read(caller.org).await?;
    let points = query::trend(&db, caller.org, &event, span, unit).await?;
    let data = points.into_iter().map(|(at, value)| AnalyticsPoint { at, value }).collect();
    Ok(Json(AnalyticsTrend { since: span.since, until: span.until, interval, data }))
}
