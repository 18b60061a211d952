//! Moments and distances between them, as people read them.

use jiff::Timestamp;
use types::Clock;

/// By the machine's clock, to the millisecond.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_millisecond(Clock::system().now().as_millis()).unwrap_or_default()
}

/// Two units at most: `2 d 3 h`, `29 min`, `12 s`.
pub(crate) fn distance(from: Timestamp, to: Timestamp) -> String {
    let seconds = (to.as_second() - from.as_second()).max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, 0) => format!("{hours} h"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, 0, _) => format!("{days} d"),
        _ => format!("{days} d {hours} h"),
    }
}
