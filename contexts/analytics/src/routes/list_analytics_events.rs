//! `GET /v1/analytics/events`

use crate::{
    Analytics,
    model::{event::Kind, moment},
    store::{
        events::{self, EventRow},
        names,
    },
};
use api::{Can, Cursor, Limit, Page, Problem, ValidQuery, Validate, Violations};
use axum::extract::State;
use db::{DbResult, OrgRead};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::time::Duration;
use types::{EventId, OrgId, Permission, SourceId, Timestamp, Uuid, permission::ReadAnalytics};
use utoipa::{IntoParams, ToSchema};

/// Which events, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListAnalyticsEventsQuery {
    /// The name of `track` events
    #[param(example = "Order Completed")]
    name: Option<String>,
    /// A user id, as the client sent it
    #[param(example = "u-1")]
    user: Option<String>,
    /// Events a page
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// `next_cursor` of the page before
    cursor: Option<String>,
}

impl Validate for ListAnalyticsEventsQuery {
    fn validate(&self, errors: &mut Violations) {
        self.limit.validate(errors);
    }
}

/// An event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnalyticsEvent {
    id: EventId,
    source_id: SourceId,
    /// `track`, `identify`, `page`, `screen`, `group` or `alias`.
    #[serde(rename = "type")]
    #[schema(example = "track")]
    kind: String,
    /// What happened, or the name of the page or screen.
    #[schema(example = "Order Completed")]
    name: Option<String>,
    message_id: String,
    user_id: Option<String>,
    anonymous_id: Option<String>,
    /// Of `group` the group, of `alias` the id before.
    subject_id: Option<String>,
    /// Properties, or of `identify` and `group` the traits.
    #[schema(value_type = Object)]
    properties: Box<RawValue>,
    #[schema(value_type = Object)]
    context: Box<RawValue>,
    /// When it happened, corrected by what the client's clock was off.
    timestamp: Timestamp,
    received_at: Timestamp,
}

impl From<EventRow> for AnalyticsEvent {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            source_id: row.source_id,
            kind: row.kind,
            name: Some(row.name).filter(|name| !name.is_empty()),
            message_id: row.message_id,
            user_id: row.user_id,
            anonymous_id: row.anonymous_id,
            subject_id: row.subject_id,
            properties: row.properties.0,
            context: row.context.0,
            timestamp: row.happened_at,
            received_at: row.received_at,
        }
    }
}

/// A row's place in the list.
type Place = (Timestamp, EventId);

/// List analytics events, latest first
#[utoipa::path(
    get, path = "/v1/analytics/events", tag = "analytics", operation_id = "list_analytics_events",
    params(ListAnalyticsEventsQuery),
    responses((status = 200, body = Page<AnalyticsEvent>, description = "A page")),
    security(("access_token" = [ReadAnalytics::NAME.as_str()])),
)]
pub(crate) async fn list_analytics_events(
    State(state): State<Analytics>,
    Can { caller, .. }: Can<ReadAnalytics>,
    ValidQuery(query): ValidQuery<ListAnalyticsEventsQuery>,
) -> Result<Page<AnalyticsEvent>, Problem> {
    let cursor = Cursor::of("list_analytics_events", &(&query.name, &query.user));
    // Another process's clock may be ahead.
    let newest = (state.app.clock.now().plus(Duration::from_hours(1)), EventId(Uuid::max()));
    let before = cursor.decode::<Place>(query.cursor.as_deref())?;
    // Anybody can make a cursor up, and PostgreSQL knows fewer years.
    let oldest = (Timestamp::from_millis(moment::EARLIEST_MS), EventId(Uuid::nil()));
    let before = before.map_or(newest, |place| place.clamp(oldest, newest));
    let db = state.app.db.read(caller.org).await?;
    let rows = page(&db, caller.org, &query, before).await?;
    Ok(Page::new(rows, query.limit, |row| cursor.encode(&(row.received_at, row.id)), AnalyticsEvent::from))
}

async fn page(
    db: &OrgRead,
    org: OrgId,
    query: &ListAnalyticsEventsQuery,
    (at, before): Place,
) -> DbResult<Vec<EventRow>> {
    let limit = query.limit.and_one();
    let name = match &query.name {
        None => None,
        Some(name) => match names::by_name(db, org, Kind::Track.as_str(), name).await? {
            Some(number) => Some(number.id),
            None => return Ok(vec![]),
        },
    };
    match (&query.user, name) {
        (Some(user), Some(name)) => events::latest_of_both(db, org, user, name, at, before, limit).await,
        (Some(user), None) => events::latest_of_user(db, org, user, at, before, limit).await,
        (None, Some(name)) => events::latest_of_name(db, org, name, at, before, limit).await,
        (None, None) => events::latest(db, org, at, before, limit).await,
    }
}
