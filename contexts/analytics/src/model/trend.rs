//! What a trend is asked over: whole hours or days in UTC, boundedly many.

use super::moment::{EARLIEST_MS, HOUR_MS, floor};
use serde::{Deserialize, Serialize};
use types::Timestamp;
use utoipa::ToSchema;

/// 31 days by the hour.
const MOST_HOURS: i64 = 31 * 24;
const MOST_DAYS: i64 = 366;

/// The width of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Interval {
    /// At most 744 of them.
    Hour,
    /// In UTC; at most 366 of them.
    Day,
}

impl Interval {
    /// As PostgreSQL's `date_trunc` calls it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    const fn ms(self) -> i64 {
        match self {
            Self::Hour => HOUR_MS,
            Self::Day => 24 * HOUR_MS,
        }
    }

    const fn most(self) -> i64 {
        match self {
            Self::Hour => MOST_HOURS,
            Self::Day => MOST_DAYS,
        }
    }
}

/// From the beginning of the first point to the end of the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) interval: Interval,
}

impl Span {
    /// The whole points that `since` to `until` touches. None: nothing, too many, or before there were events.
    pub(crate) fn of(since: Timestamp, until: Timestamp, interval: Interval) -> Option<Self> {
        let (width, first) = (interval.ms(), floor(since, interval.ms()));
        let last = floor(Timestamp::from_millis(until.as_millis().saturating_sub(1)), width);
        let points = (last.as_millis() - first.as_millis()) / width + 1;
        let until = Timestamp::from_millis(last.as_millis().saturating_add(width));
        let is_bounded = since < until && since.as_millis() >= EARLIEST_MS && (1..=interval.most()).contains(&points);
        is_bounded.then_some(Self { since: first, until, interval })
    }

    /// Every point, with the values that there are and zero for the others.
    pub(crate) fn fill(self, values: &[(Timestamp, i64)]) -> Vec<(Timestamp, i64)> {
        let width = self.interval.ms();
        let count = (self.until.as_millis() - self.since.as_millis()) / width;
        let mut given = values.iter().peekable();
        let point = |number| {
            let at = Timestamp::from_millis(self.since.as_millis() + number * width);
            (at, given.next_if(|(known, _)| *known == at).map_or(0, |(_, value)| *value))
        };
        (0..count).map(point).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_span_has_the_whole_hours_or_days_that_it_touches() {
        let (since, until) = (at("2025-01-17T10:30:00Z"), at("2025-01-18T12:00:00Z"));
        let hours = Span::of(since, until, Interval::Hour).unwrap();
        assert_eq!((hours.since, hours.until), (at("2025-01-17T10:00:00Z"), until));
        let days = Span::of(since, until, Interval::Day).unwrap();
        assert_eq!((days.since, days.until), (at("2025-01-17T00:00:00Z"), at("2025-01-19T00:00:00Z")));
        assert_eq!(
            days.fill(&[(at("2025-01-18T00:00:00Z"), 7)]).iter().map(|point| point.1).collect::<Vec<_>>(),
            [0, 7]
        );
    }

    #[test]
    fn a_span_is_not_empty_and_not_endless() {
        let since = at("2025-01-01T00:00:00Z");
        assert_eq!(Span::of(since, since, Interval::Hour), None);
        assert_eq!(Span::of(since, at("2024-01-01T00:00:00Z"), Interval::Day), None);
        assert!(Span::of(since, at("2025-02-01T00:00:00Z"), Interval::Hour).is_some());
        assert_eq!(Span::of(since, at("2025-02-01T00:00:01Z"), Interval::Hour), None);
        assert!(Span::of(since, at("2026-01-02T00:00:00Z"), Interval::Day).is_some());
        assert_eq!(Span::of(since, at("2026-01-02T00:00:01Z"), Interval::Day), None);
        assert_eq!(Span::of(at("-009999-01-02T01:59:59Z"), at("9999-12-30T22:00:00Z"), Interval::Day), None);
    }
}
