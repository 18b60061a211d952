//! Origins of web pages, as a browser sends them in `Origin` (RFC 6454, 7).

/// Sources with more of them are refused.
pub(crate) const MOST: usize = 50;

/// Whether a browser could send exactly this: scheme, host, perhaps a port, in lower case.
pub(crate) fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:[]".contains(&byte);
    !host.is_empty() && text.len() <= 255 && host.bytes().all(is_part)
}

/// Whether a request may come: any may when no origins are named, and whoever sends none is no browser.
pub(crate) fn is_allowed(allowed: &[String], origin: Option<&str>) -> bool {
    allowed.is_empty() || origin.is_none_or(|origin| allowed.iter().any(|one| one == origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_neither_a_path_nor_capitals() {
        for origin in ["https://example.com", "http://localhost:3000", "https://[::1]:8443"] {
            assert!(is_origin(origin), "{origin}");
        }
        for other in ["", "example.com", "https://", "https://example.com/", "https://Example.com", "null", "*"] {
            assert!(!is_origin(other), "{other}");
        }
    }

    #[test]
    fn named_origins_keep_other_pages_out_and_no_server() {
        let allowed = ["https://a.example".to_owned()];
        assert!(is_allowed(&allowed, Some("https://a.example")) && is_allowed(&allowed, None));
        assert!(!is_allowed(&allowed, Some("https://b.example")) && !is_allowed(&allowed, Some("null")));
        assert!(is_allowed(&[], Some("https://b.example")));
    }
}
