//! When an event happened: by the sender's clock, corrected by what that clock is off.

use super::Fault;
use types::Timestamp;

/// 2000-01-01T00:00:00Z; what is before is nobody's event but a clock that was never set.
pub(crate) const EARLIEST_MS: i64 = 946_684_800_000;
pub(crate) const HOUR_MS: i64 = 3_600_000;

/// RFC 3339, or the same without a zone, which means UTC.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| format!("{text}Z").parse().ok())
}

/// `timestamp`, moved by the difference of our clock and the sender's: `received_at` minus `sent_at`. Never later than
/// it was received.
pub(crate) fn corrected(
    timestamp: Option<Timestamp>,
    sent_at: Option<Timestamp>,
    received_at: Timestamp,
) -> Result<Timestamp, Fault> {
    let Some(timestamp) = timestamp else { return Ok(received_at) };
    let off = sent_at.map_or(0, |sent_at| received_at.as_millis() - sent_at.as_millis());
    let happened_at = Timestamp::from_millis((timestamp.as_millis() + off).min(received_at.as_millis()));
    if happened_at.as_millis() < EARLIEST_MS {
        return Err(Fault::new("timestamp_too_old", "timestamp must not be before the year 2000"));
    }
    Ok(happened_at)
}

/// The beginning of its hour.
pub(crate) fn hour(at: Timestamp) -> Timestamp {
    floor(at, HOUR_MS)
}

/// The beginning of its span of so many milliseconds, in UTC.
pub(crate) fn floor(at: Timestamp, span_ms: i64) -> Timestamp {
    Timestamp::from_millis(at.as_millis() - at.as_millis().rem_euclid(span_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        parse(text).unwrap()
    }

    #[test]
    fn a_clock_that_is_off_is_corrected_by_how_much_it_is_off() {
        let received = at("2025-01-17T12:00:10Z");
        let corrected = |timestamp, sent| corrected(Some(at(timestamp)), Some(at(sent)), received).unwrap();
        assert_eq!(corrected("2025-01-17T15:00:00Z", "2025-01-17T15:00:05Z"), at("2025-01-17T12:00:05Z"));
        assert_eq!(corrected("1970-01-01T00:00:00Z", "1970-01-01T00:01:00Z"), at("2025-01-17T11:59:10Z"));
    }

    #[test]
    fn nothing_happens_after_it_was_received_or_before_there_were_clients() {
        let received = at("2025-01-17T12:00:00Z");
        assert_eq!(corrected(None, None, received), Ok(received));
        assert_eq!(corrected(Some(at("2099-01-01T00:00:00Z")), None, received), Ok(received));
        let unset = corrected(Some(at("1970-01-01T00:00:00Z")), None, received);
        assert_eq!(unset.unwrap_err().code, "timestamp_too_old");
    }

    #[test]
    fn times_are_read_as_clients_write_them() {
        let same = at("2025-01-17T12:00:00Z");
        for text in ["2025-01-17T12:00:00.000000+00:00", "2025-01-17T13:00:00+01:00", "2025-01-17T12:00:00"] {
            assert_eq!(parse(text), Some(same), "{text}");
        }
        assert_eq!((parse("yesterday"), parse("1737115200")), (None, None));
        assert_eq!(hour(at("2025-01-17T12:59:59.999Z")), same);
    }
}
