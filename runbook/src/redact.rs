//! What must not be shown or kept is blotted out, wherever a program printed it.

use regex::Regex;
use std::sync::LazyLock;

const BLOT: &str = "[redacted]";

/// Shapes of credentials, each with the part that may stay in group 1.
static SHAPES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let shapes = [
        // A password in a URL.
        r"([a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s@]+(?:@)",
        r"(?i)((?:authorization|proxy-authorization)\W{1,4}(?:bearer|basic)\s+)[^\s'\x22]+",
        r"(?i)((?:password|passwd|secret|token|api[_-]?key|access[_-]?key|master[_-]?key)\x22?\s*[=:]\s*)[^\s,;&]+",
        // Amazon's keys, GitHub's tokens, JWTs.
        r"()\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        r"()\bgh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}",
        r"()\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    ];
    shapes.iter().filter_map(|shape| Regex::new(shape).ok()).collect()
});

/// The text without credentials: known ones by their value, others by their shape.
pub(crate) fn redact(text: &str, known: &[String]) -> String {
    let mut text = text.to_owned();
    for secret in known.iter().filter(|secret| secret.len() >= 4) {
        text = text.replace(secret, BLOT);
    }
    for shape in SHAPES.iter() {
        text = shape
            .replace_all(&text, |found: &regex::Captures<'_>| {
                let at = if found[0].ends_with('@') { "@" } else { "" };
                format!("{}{BLOT}{at}", found.get(1).map_or("", |kept| kept.as_str()))
            })
            .into_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_blotted_out_and_the_rest_stays() {
        assert_eq!(SHAPES.len(), 6);
        for (said, shown) in [
            ("postgresql://ada:p%40s:s@db:5432/api", "postgresql://ada:[redacted]@db:5432/api"),
            ("postgresql://ada@db/api", "postgresql://ada@db/api"),
            ("DB_PASSWORD=hunter2 npm run", "DB_PASSWORD=[redacted] npm run"),
            (r#"{"token": "abc", "x": 1}"#, r#"{"token": [redacted], "x": 1}"#),
            ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
            ("key AKIAIOSFODNN7EXAMPLE is", "key [redacted] is"),
            ("ghp_0123456789abcdefghij0123", "[redacted]"),
            ("eyJhbGciOiJ9.eyJzdWIiOiJ4.c2ln", "[redacted]"),
            ("secrets api-secrets: database-url", "secrets api-secrets: database-url"),
        ] {
            assert_eq!(redact(said, &[]), shown);
        }
        assert_eq!(redact("it was s3cr3t here", &["s3cr3t".to_owned()]), "it was [redacted] here");
    }
}
