//! JSON bodies: shape errors with the first fault (400), value errors with all of them (422).

use crate::{Code, Problem, Validate, objects::Objects, validate::Violations};
use aws_lc_rs::digest::{self, SHA256};
use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
};
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

/// Deeper nesting is refused before anything is built from it.
const MAX_DEPTH: usize = 64;

/// A body that has the right shape and the right values, and its digest: `ValidJson(request, digest)`.
#[derive(Debug)]
pub struct ValidJson<T>(pub T, pub BodyDigest);

/// The SHA-256 of a body as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyDigest(pub [u8; 32]);

impl BodyDigest {
    /// Of a body.
    pub fn of(body: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&SHA256, body).as_ref());
        Self(bytes)
    }
}

impl<T: DeserializeOwned + Validate, S: Send + Sync> FromRequest<S> for ValidJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let body = Bytes::from_request(request, state).await.map_err(|rejection| unread(&rejection))?;
        let value: T = parse(&body)?;
        Violations::of(&value)?;
        Ok(Self(value, BodyDigest::of(&body)))
    }
}

/// `application/json` or a `+json` type, whatever its parameters.
fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if is_json { Ok(()) } else { Err(Code::UnsupportedMediaType.into()) }
}

fn unread(rejection: &BytesRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Code::BodyTooLarge.into(),
        _ => malformed("the body broke off"),
    }
}

/// One JSON object of the type, or the first fault.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(malformed("a JSON object is expected"));
    }
    refuse_hostile(body)?;
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(Objects(&mut json));
    let value = value.map_err(|error| fault(error.path(), error.inner()))?;
    json.end().map_err(|_| malformed("something follows the JSON object"))?;
    Ok(value)
}

/// Looks at the brackets and texts alone, before anything is built from them.
fn refuse_hostile(body: &[u8]) -> Result<(), Problem> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for (index, byte) in body.iter().enumerate() {
        match byte {
            // PostgreSQL's texts cannot hold it.
            b'u' if escaped && body[index..].starts_with(b"u0000") => return Err(malformed("no text takes U+0000")),
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(malformed("the JSON is nested deeper than 64"));
        }
    }
    Ok(())
}

fn malformed(detail: &str) -> Problem {
    Problem::new(Code::MalformedBody).detail(detail)
}

fn fault(path: &Path, error: &serde_json::Error) -> Problem {
    let code = match error.classify() {
        Category::Data => "shape",
        Category::Syntax | Category::Eof | Category::Io => "syntax",
    };
    let problem = Problem::new(Code::MalformedBody);
    if code == "syntax" {
        return problem.invalid("", code, &error.to_string());
    }
    let text = error.to_string();
    // serde_json's place in the text follows what it says; the pointer says it better.
    let said = text.split(" at line ").next().unwrap_or_default();
    let missing = said.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    match missing {
        // serde's path ends at the parent of what is missing.
        Some(name) => problem.invalid(&format!("{}/{}", pointer(path), escape(name)), "missing", "is missing"),
        None => problem.invalid(&pointer(path), code, said),
    }
}

/// A path of serde as a JSON pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    let segment = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", escape(key)),
        Segment::Enum { variant } => format!("/{}", escape(variant)),
        Segment::Unknown => String::new(),
    };
    path.iter().map(segment).collect()
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[allow(dead_code, reason = "only its shape is tested")]
        lines: Vec<Line>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        #[allow(dead_code, reason = "only its shape is tested")]
        count: u32,
    }

    fn first_fault(text: &str) -> (String, String) {
        let response = axum::response::IntoResponse::into_response(parse::<Order>(text.as_bytes()).unwrap_err());
        let bytes = futures_util::FutureExt::now_or_never(axum::body::to_bytes(response.into_body(), 10_000));
        let body: Value = serde_json::from_slice(&bytes.unwrap().unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match body["errors"].get(0) {
            Some(error) => (text(&error["pointer"]), text(&error["detail"])),
            None => (String::new(), text(&body["detail"])),
        }
    }

    #[test]
    fn the_pointer_names_the_value_at_fault() {
        assert_eq!(first_fault(r#"{"lines": [{"count": 1}, {"count": "x"}]}"#).0, "/lines/1/count");
        assert_eq!(first_fault(r#"{"lines": [{}]}"#), ("/lines/0/count".into(), "is missing".into()));
        assert_eq!(first_fault(r#"{"lines": [], "a/b": 1}"#).0, "/a~1b");
    }

    #[test]
    fn an_array_is_no_object() {
        assert_eq!(first_fault("[[]]").1, "a JSON object is expected");
        assert_eq!(first_fault(r#"{"lines": [[1]]}"#).0, "/lines/0");
    }

    #[test]
    fn nesting_has_a_limit_and_brackets_in_texts_do_not_count() {
        let deep = format!("{{\"lines\": {}{}}}", "[".repeat(64), "]".repeat(64));
        assert_eq!(first_fault(&deep).1, "the JSON is nested deeper than 64");
        assert!(refuse_hostile(json!({"a": "[\"".repeat(100)}).to_string().as_bytes()).is_ok());
    }

    #[test]
    fn the_character_that_postgresql_cannot_hold_is_refused() {
        assert_eq!(first_fault(r#"{"lines": ["\u0000"]}"#).1, "no text takes U+0000");
        assert!(refuse_hostile(br#"{"lines": ["\\u0000", "\u00001"]}"#).is_err());
        assert!(refuse_hostile(br#"{"lines": ["\\u0000", "\u0001"]}"#).is_ok());
    }

    #[test]
    fn what_follows_the_object_is_refused() {
        assert_eq!(first_fault(r#"{"lines": []} x"#).1, "something follows the JSON object");
    }
}
