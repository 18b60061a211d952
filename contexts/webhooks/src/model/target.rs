//! Where an endpoint may be: public hosts over HTTPS, and what the process's rules except.

use super::address::is_public;
use reqwest::Url;
use std::net::IpAddr;
use url::Host;

const MAX_URL: usize = 2_048;

/// What deliveries may reach besides public hosts over HTTPS. Nothing in production, except its own smoke test.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Development: this machine, over HTTP too.
    pub loopback: bool,
    /// HTTP and any address are allowed to this exact origin, below this path.
    pub allow_http_to: Option<Url>,
}

/// Why a URL is none for an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadTarget {
    #[error("must be an absolute URL of at most 2048 characters with a host, and without user, password and fragment")]
    Malformed,
    #[error("must begin with https://")]
    Plain,
    #[error("must not name an address of a private, local or reserved network")]
    Private,
}

/// How a URL may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Over HTTPS, at public addresses alone.
    Guarded,
    /// On this machine, in development.
    Loopback,
    /// The smoke test's own hooks; for synthetic organizations alone.
    Smoke,
}

impl Rules {
    /// What the text names, and how it may be reached; names are resolved, and checked, when something is sent.
    pub(crate) fn check(&self, text: &str) -> Result<(Url, Route), BadTarget> {
        let url = Url::parse(text).ok().filter(|url| is_plain(text, url)).ok_or(BadTarget::Malformed)?;
        let host = url.host().ok_or(BadTarget::Malformed)?;
        if let Some(route) = self.exception(&url, &host) {
            return Ok((url, route));
        }
        if url.scheme() != "https" {
            return Err(BadTarget::Plain);
        }
        let is_refused = match host {
            Host::Ipv4(address) => !is_public(IpAddr::V4(address)),
            Host::Ipv6(address) => !is_public(IpAddr::V6(address)),
            Host::Domain(name) => is_local_name(name),
        };
        if is_refused { Err(BadTarget::Private) } else { Ok((url, Route::Guarded)) }
    }

    fn exception(&self, url: &Url, host: &Host<&str>) -> Option<Route> {
        let is_this_machine = match host {
            Host::Domain(name) => *name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        let below = |allowed: &Url| url.origin() == allowed.origin() && url.path().starts_with(allowed.path());
        let is_smoke = || self.allow_http_to.as_ref().is_some_and(below);
        let loopback = (self.loopback && is_this_machine).then_some(Route::Loopback);
        loopback.or_else(|| is_smoke().then_some(Route::Smoke))
    }
}

fn is_plain(text: &str, url: &Url) -> bool {
    let credentials = !url.username().is_empty() || url.password().is_some();
    let is_http = matches!(url.scheme(), "http" | "https");
    is_http && text.len() <= MAX_URL && !credentials && url.fragment().is_none() && text.is_ascii()
}

/// Names that no public resolver answers (RFC 6761, RFC 6762); what else a name leads to is checked when it is resolved.
fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let last = name.rsplit('.').next().unwrap_or_default();
    !name.contains('.') || matches!(last, "localhost" | "local" | "internal" | "test" | "invalid" | "example")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each leads, or could lead, to something that only this machine, network or cloud reaches, or is none at all. The
    /// platform's own tests dispatch to them.
    const REFUSED: &str = include_str!("../../tests/refused_urls.txt");

    #[test]
    fn no_url_leads_to_what_is_not_public() {
        assert!(REFUSED.lines().count() >= 60);
        for url in REFUSED.lines().chain([""]) {
            assert!(Rules::default().check(url).is_err(), "{url}");
        }
        assert!(Rules::default().check(&format!("https://example.com/{}", "a".repeat(2_048))).is_err());
    }

    #[test]
    fn public_hosts_are_reached_over_https() {
        for url in
            ["https://example.com/", "https://example.com:8443/x?y=z", "https://8.8.8.8/", "https://[2606:4700::1]/"]
        {
            assert_eq!(Rules::default().check(url).map(|(_, route)| route), Ok(Route::Guarded), "{url}");
        }
    }

    #[test]
    fn an_exception_is_one_origin_and_the_paths_below_one() {
        let allowed = Url::parse("http://platform.example.com:3000/v1/smoke/hooks/").unwrap();
        let rules = Rules { loopback: false, allow_http_to: Some(allowed) };
        let route = |url: &str| rules.check(url).map(|(_, route)| route);
        assert_eq!(route("http://platform.example.com:3000/v1/smoke/hooks/abc"), Ok(Route::Smoke));
        for url in [
            "http://platform.example.com:3000/v1/users",
            "http://platform.example.com:3000/v1/smoke/hooks/../../users",
            "http://platform.example.com:3001/v1/smoke/hooks/abc",
            "http://other.example.com:3000/v1/smoke/hooks/abc",
            "http://platform.example.com.evil.com:3000/v1/smoke/hooks/abc",
        ] {
            assert_eq!(route(url), Err(BadTarget::Plain), "{url}");
        }
    }

    #[test]
    fn development_reaches_this_machine_and_nothing_else_that_is_private() {
        let rules = Rules { loopback: true, allow_http_to: None };
        for url in ["http://localhost:3000/dev/hooks", "http://127.0.0.1:1/", "http://[::1]:1/"] {
            assert_eq!(rules.check(url).map(|(_, route)| route), Ok(Route::Loopback), "{url}");
        }
        for url in ["http://10.0.0.1/", "https://10.0.0.1/", "https://169.254.169.254/", "http://example.com/"] {
            assert!(rules.check(url).is_err(), "{url}");
        }
    }
}
