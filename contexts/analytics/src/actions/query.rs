//! What organizations ask: from the roll-ups, never from all rows.

use crate::{
    model::{event::Kind, trend::Span},
    store::{
        hourly::{self, PointRow},
        names,
    },
};
use db::{DbResult, OrgRead};
use types::{OrgId, Timestamp};

/// What a trend counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Events,
    Uniques,
}

/// How often a `track` event of this name happened, or how many people it happened to, in each point of the span.
pub(crate) async fn trend(
    db: &OrgRead,
    org: OrgId,
    name: &str,
    span: Span,
    unit: Unit,
) -> DbResult<Vec<(Timestamp, i64)>> {
    let Some(number) = names::by_name(db, org, Kind::Track.as_str(), name).await? else { return Ok(span.fill(&[])) };
    let (since, until, interval) = (span.since, span.until, span.interval.as_str());
    let rows = match unit {
        Unit::Events => hourly::events(db, org, number.id, since, until, interval).await?,
        Unit::Uniques => hourly::uniques(db, org, number.id, since, until, interval).await?,
    };
    let values: Vec<_> = rows.into_iter().filter_map(|PointRow { at, value }| Some((at?, value))).collect();
    Ok(span.fill(&values))
}
