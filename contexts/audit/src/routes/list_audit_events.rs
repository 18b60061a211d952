//! `GET /v1/audit/events`

use super::AuditEvent;
use crate::{
    model::{Filter, actions, shown},
    store::events::{self, EntryRow, FoundRow},
};
use api::{App, Can, Cursor, Limit, Page, Problem, ValidQuery, Validate, Violations};
use axum::extract::State;
use serde::Deserialize;
use std::time::Duration;
use types::{Permission, Timestamp, permission::ReadAudit};
use utoipa::IntoParams;

/// Of two machines' clocks.
const AHEAD: Duration = Duration::from_hours(1);
/// Longer than any id.
const MAX_ID: usize = 64;

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListAuditEventsQuery {
    /// Entries a page
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// `next_cursor` of the page before
    cursor: Option<String>,
    /// Done by: an id
    #[param(max_length = 64, example = "usr_01jhs3n5c8fq7t2v9w4x6y8zab")]
    actor: Option<String>,
    /// What was done: a name of the catalogue of events, or all of a noun, as in `resource.*`
    #[param(max_length = 64, example = "resource.*")]
    action: Option<String>,
    /// Done to: an id
    #[param(max_length = 64, example = "res_01jhs3n5c8fq7t2v9w4x6y8zab")]
    target: Option<String>,
    /// Entered the log then or later
    since: Option<Timestamp>,
    /// Entered the log before then
    until: Option<Timestamp>,
}

impl Validate for ListAuditEventsQuery {
    fn validate(&self, errors: &mut Violations) {
        self.limit.validate(errors);
        for (pointer, text) in [("/actor", &self.actor), ("/target", &self.target)] {
            let fits = text.as_ref().is_none_or(|text| text.chars().count() <= MAX_ID);
            errors.require(fits, pointer, "length", "must have at most 64 characters");
        }
        let is_known = self.action.as_ref().is_none_or(|pattern| actions(pattern).is_some());
        let detail = "is no event of the catalogue, and no noun of it as in resource.*";
        errors.require(is_known, "/action", "unknown", detail);
    }
}

impl ListAuditEventsQuery {
    fn filter(&self) -> Filter {
        Filter {
            actor: self.actor.clone(),
            actions: self.action.as_deref().map_or_else(|| Some(shown().collect()), actions).unwrap_or_default(),
            target: self.target.clone(),
            since: self.since,
            until: self.until,
        }
    }
}

/// Read the audit log, newest first
///
/// With a filter that matches little, a page may have fewer entries than its limit, or none, and `has_more` still be
/// true: it looks through a bounded part of the log, and the next page goes on from there.
#[utoipa::path(
    get, path = "/v1/audit/events", tag = "audit", operation_id = "list_audit_events",
    params(ListAuditEventsQuery),
    responses((status = 200, body = Page<AuditEvent>, description = "A page")),
    security(("access_token" = [ReadAudit::NAME.as_str()])),
)]
pub(crate) async fn list_audit_events(
    State(app): State<App>,
    Can { caller, .. }: Can<ReadAudit>,
    ValidQuery(query): ValidQuery<ListAuditEventsQuery>,
) -> Result<Page<AuditEvent>, Problem> {
    let filter = query.filter();
    let cursor = Cursor::of("list_audit_events", &filter);
    let place = cursor.decode::<(Timestamp, i64)>(query.cursor.as_deref())?;
    // Before any entry, and not before what PostgreSQL takes for a time.
    let dawn = Timestamp::from_millis(0);
    let end = filter.until.unwrap_or_else(|| app.clock.now().plus(AHEAD)).max(dawn);
    let (before_at, before) = place.unwrap_or((end, i64::MAX));
    let since = filter.since.unwrap_or(dawn).max(dawn);
    let db = app.db.read(caller.org).await?;
    let (actor, target) = (filter.actor.as_deref(), filter.target.as_deref());
    let limit = query.limit.and_one();
    let rows = events::page(&db, before_at, before, since, actor, &filter.actions, target, events::SCANNED, limit);
    let rows = rows.await?;
    Ok(page(rows, query.limit, cursor))
}

fn page(rows: Vec<FoundRow>, limit: Limit, cursor: Cursor) -> Page<AuditEvent> {
    // Where looking ended, if it did before the log did.
    let end = rows.first().filter(|row| row.scanned == events::SCANNED);
    let end = end.and_then(|row| Some(cursor.encode(&after(row.end_at?, row.end_position?))));
    let entries: Vec<EntryRow> = rows.into_iter().filter_map(FoundRow::entry).collect();
    let mut page =
        Page::new(entries, limit, |row| cursor.encode(&after(row.sequenced_at, row.position)), AuditEvent::from);
    if !page.has_more {
        (page.has_more, page.next_cursor) = (end.is_some(), end);
    }
    page
}

/// The place behind an entry: a cursor's time has milliseconds, the log's has microseconds.
fn after(sequenced_at: Timestamp, position: i64) -> (Timestamp, i64) {
    (sequenced_at.plus(Duration::from_millis(1)), position)
}
