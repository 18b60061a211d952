//! When a delivery is tried again, and what a failing endpoint costs its own deliveries.

use std::time::Duration;
use types::Rng;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
/// Between the attempts of a delivery, in seconds.
const STEPS: [u64; 9] = [5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
/// A receiver's `Retry-After` beyond that is not waited for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(24);
/// What 429, 502 and 504 without `Retry-After` slow an endpoint down by.
const SLOW_DOWN: Duration = Duration::from_secs(10);
/// An endpoint that failed so many times in a row is tried by one delivery at a time.
pub(crate) const CIRCUIT_OPENS_AFTER: i32 = 5;
/// Who failed for so long gets no more deliveries.
pub(crate) const DISABLE_AFTER: Duration = Duration::from_hours(5 * 24);

/// From the end of attempt `attempts` until the next one, ±10 % so that deliveries that failed together do not come
/// together again; none: that was the last one.
pub(crate) fn wait(attempts: i32, retry_after: Option<Duration>, rng: &Rng) -> Option<Duration> {
    let step = usize::try_from(attempts - 1).ok().and_then(|index| STEPS.get(index))?;
    let jitter = u64::from(u16::from_be_bytes(rng.bytes())) * 200 / u64::from(u16::MAX);
    let wait = Duration::from_millis(step * (900 + jitter));
    Some(wait.max(retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER)))
}

/// How long a response asks for nothing to be sent to its endpoint, whatever the delivery.
pub(crate) fn slow_down(status: Option<u16>, retry_after: Option<Duration>) -> Option<Duration> {
    let asked = retry_after.map(|asked| asked.min(Duration::from_hours(1)));
    match status {
        Some(429 | 502 | 504) => Some(asked.unwrap_or(SLOW_DOWN)),
        Some(503) => asked,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_tried_ten_times_over_three_days_with_jitter() {
        let rng = Rng::seeded(1);
        let waits: Vec<_> = (1..=10).map(|attempts| wait(attempts, None, &rng)).collect();
        for (wait, step) in waits.iter().zip(STEPS) {
            let (millis, step) = (wait.unwrap().as_millis(), u128::from(step) * 1_000);
            assert!((step * 9 / 10..=step * 11 / 10).contains(&millis), "{millis} for {step}");
        }
        assert_eq!(waits[9], None);
        let again: Vec<_> = (0..50).map(|_| wait(2, None, &rng)).collect();
        assert!(again.iter().any(|other| *other != again[0]), "jitter");
    }

    #[test]
    fn a_receiver_can_ask_for_a_later_attempt_and_not_for_an_earlier_or_none() {
        let rng = Rng::seeded(1);
        assert_eq!(wait(1, Some(Duration::from_mins(2)), &rng), Some(Duration::from_mins(2)));
        assert!(wait(2, Some(Duration::from_secs(1)), &rng) > Some(Duration::from_mins(4)));
        assert_eq!(wait(1, Some(Duration::MAX), &rng), Some(LONGEST_RETRY_AFTER));
    }

    #[test]
    fn an_overloaded_receiver_slows_its_endpoint_down() {
        assert_eq!(slow_down(Some(429), Some(Duration::from_secs(7))), Some(Duration::from_secs(7)));
        for status in [429, 502, 504] {
            assert_eq!(slow_down(Some(status), None), Some(SLOW_DOWN));
        }
        assert_eq!([slow_down(Some(500), None), slow_down(None, None)], [None, None]);
    }
}
