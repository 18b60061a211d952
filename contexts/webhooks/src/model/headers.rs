//! Headers that an organization adds to its deliveries.

use http::{HeaderMap, HeaderName, HeaderValue};
use std::collections::BTreeMap;

const MAX_HEADERS: usize = 16;
const MAX_VALUE: usize = 1_024;

/// Names in lower case, with their values. Both are secrets of the organization: the values are shown nowhere.
pub(crate) type Headers = BTreeMap<String, String>;

/// Names that say how the message travels or what it is; ours alone.
const OURS: [&str; 18] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "http2-settings",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-http-method-override",
];

/// Why a header cannot be taken; none: it can.
pub(crate) fn fault(name: &str, value: Option<&str>) -> Option<&'static str> {
    let Ok(parsed) = name.parse::<HeaderName>() else { return Some("is not the name of a header") };
    let name = parsed.as_str();
    let is_ours =
        OURS.contains(&name) || ["webhook-", "proxy-", "x-forwarded-", ":"].iter().any(|of| name.starts_with(of));
    if is_ours {
        return Some("is a header that cannot be set");
    }
    let is_value = |value: &str| value.len() <= MAX_VALUE && value.is_ascii() && HeaderValue::from_str(value).is_ok();
    match value {
        Some(value) if !is_value(value) => Some("has a value of more than 1024 characters, or with others than ASCII"),
        _ => None,
    }
}

/// Whether there are not too many.
pub(crate) fn fit(headers: usize) -> bool {
    headers <= MAX_HEADERS
}

/// As they are sent.
pub(crate) fn map(headers: &Headers) -> HeaderMap {
    let parsed = headers.iter().filter_map(|(name, value)| {
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(true);
        Some((name.parse::<HeaderName>().ok()?, value))
    });
    parsed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_how_a_message_travels_or_who_signed_it_is_ours() {
        for name in [
            "Host",
            "content-length",
            "Transfer-Encoding",
            "webhook-signature",
            "Proxy-Authorization",
            "X-Forwarded-For",
            "a b",
            "",
            ":path",
        ] {
            assert!(fault(name, Some("x")).is_some(), "{name}");
        }
        for name in ["Authorization", "X-Api-Key", "traceparent"] {
            assert_eq!(fault(name, Some("x")), None, "{name}");
        }
    }

    #[test]
    fn a_value_cannot_end_its_header() {
        assert!(fault("x", Some("a\r\nhost: b")).is_some());
        assert!(fault("x", Some("\u{e4}")).is_some());
        assert!(fault("x", Some(&"a".repeat(1_025))).is_some());
    }
}
