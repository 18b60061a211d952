//! When something was, as the API says it.

use crate::Fact;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Event;

/// When an event came first, and which field says so. The scheduler's events have only `eventTime`.
pub(crate) fn first_seen(event: &Event) -> Option<Fact> {
    let first = event.first_timestamp.as_ref().map(|time| Fact::new(time.0, "event.firstTimestamp"));
    let only = || event.event_time.as_ref().map(|time| Fact::new(time.0, "event.eventTime"));
    let made = || event.metadata.creation_timestamp.as_ref();
    first.or_else(only).or_else(|| made().map(|time| Fact::new(time.0, "event.metadata.creationTimestamp")))
}

/// How often an event came.
pub(crate) fn count(event: &Event) -> i32 {
    let series = event.series.as_ref().and_then(|series| series.count);
    event.count.or(series).unwrap_or(1).max(1)
}

/// A length of time in its largest unit, as kubectl writes ages: `45s`, `12m`, `3h`, `2d`.
pub(crate) fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).max(SignedDuration::ZERO).as_secs();
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}
