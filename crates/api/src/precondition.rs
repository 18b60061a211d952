//! `If-Match`: a change applies to the version that its author has seen, or not at all (RFC 9110, 13.1.1).

use crate::{Code, Problem};
use axum::extract::FromRequestParts;
use http::{HeaderValue, header, request::Parts};

/// The version in `If-Match`; none when there is no such header, or `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IfMatch(pub Option<i64>);

impl IfMatch {
    /// The version, for changes that must have one: 428 without.
    pub fn required(self) -> Result<i64, Problem> {
        self.0.ok_or_else(|| Code::PreconditionRequired.into())
    }

    /// 412 unless this is the current version, or none was asked for.
    pub fn check(self, current: i64) -> Result<(), Problem> {
        match self.0 {
            Some(wanted) if wanted != current => Err(Code::PreconditionFailed.into()),
            _ => Ok(()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match parts.headers.get(header::IF_MATCH) {
            Some(value) => parse(value).map(Self),
            None => Ok(Self(None)),
        }
    }
}

fn parse(value: &HeaderValue) -> Result<Option<i64>, Problem> {
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let tag = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match tag {
        // A tag that we never gave matches no version; a weak one never matches strongly (RFC 9110, 8.8.3.2).
        Some(tag) if !tag.contains('"') => tag.parse().map(Some).map_err(|_| Code::PreconditionFailed.into()),
        _ if text.starts_with("W/") => Err(Code::PreconditionFailed.into()),
        _ => Err(Problem::new(Code::MalformedHeader).detail("If-Match takes one ETag in quotes, or *")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &'static str) -> Result<Option<i64>, Code> {
        parse(&HeaderValue::from_static(text)).map_err(|problem| problem.code())
    }

    #[test]
    fn one_strong_tag_or_a_star_is_taken() {
        assert_eq!(parsed("\"7\""), Ok(Some(7)));
        assert_eq!(parsed("*"), Ok(None));
        assert_eq!(parsed("W/\"7\""), Err(Code::PreconditionFailed));
        assert_eq!(parsed("\"somebody's\""), Err(Code::PreconditionFailed));
        assert_eq!(parsed("7"), Err(Code::MalformedHeader));
        assert_eq!(parsed("\"7\", \"8\""), Err(Code::MalformedHeader));
    }

    #[test]
    fn a_change_that_must_have_a_version_is_refused_without() {
        assert_eq!(IfMatch(None).required().unwrap_err().code(), Code::PreconditionRequired);
        assert_eq!(IfMatch(Some(1)).check(2).unwrap_err().code(), Code::PreconditionFailed);
        assert!(IfMatch(Some(2)).check(2).is_ok() && IfMatch(None).check(2).is_ok());
    }
}
