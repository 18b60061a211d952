//! Event types such as `invoice.paid`, and the patterns by which an endpoint chooses among them.

use events::{Audience, Kind};

const MAX: usize = 128;
/// Of the message that an endpoint's test sends.
pub(crate) const TEST: &str = "endpoint.test";

/// Words of letters, digits and `_`, separated by dots, as the Standard Webhooks specification advises.
pub(crate) fn is_event_type(text: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    text.len() <= MAX && text.split('.').all(is_word)
}

/// An event type, `*`, or the beginning of event types as in `invoice.*`.
pub(crate) fn is_pattern(text: &str) -> bool {
    text == "*" || is_event_type(text.strip_suffix(".*").unwrap_or(text))
}

/// Whether it is the platform's own: nobody else may send it, or receivers could not trust it.
pub(crate) fn is_reserved(text: &str) -> bool {
    text == TEST || Kind::ALL.iter().any(|kind| kind.as_str() == text)
}

/// The platform's events that endpoints are told.
pub(crate) fn told() -> impl Iterator<Item = Kind> {
    Kind::ALL.iter().copied().filter(|kind| kind.audience() == Audience::Organization)
}

/// A channel's name.
pub(crate) fn is_channel(text: &str) -> bool {
    (1..=MAX).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_type_or_the_beginning_of_some() {
        for good in ["*", "invoice.paid", "invoice.*", "a.b.*", "Invoice_2.paid"] {
            assert!(is_pattern(good), "{good}");
        }
        for bad in ["", ".", "invoice.", "invoice*", "*.paid", "a..b", "a.*.b", "in voice", "a.**", &"a".repeat(129)] {
            assert!(!is_pattern(bad), "{bad}");
        }
    }

    #[test]
    fn nobody_sends_in_the_platforms_name() {
        assert!(is_reserved("resource.created") && is_reserved("message.created") && is_reserved(TEST));
        assert!(!is_reserved("invoice.paid"));
    }
}
