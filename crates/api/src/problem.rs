//! The error of every handler: problem details (RFC 9457), and the one place that logs a failed request.

use crate::{Code, exceptions};
use axum::response::{IntoResponse, Response};
use db::DbError;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use std::{error::Error, sync::Arc};
use types::RequestId;

type Cause = Box<dyn Error + Send + Sync>;

/// Why a request failed. The cause goes to the log, never to the caller.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    detail: Option<String>,
    errors: Vec<FieldError>,
    retry_after_seconds: Option<u64>,
    cause: Option<Arc<Cause>>,
}

/// What is wrong with one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Where: a JSON pointer (RFC 6901) into the body, or `/name` of a query parameter.
    #[schema(example = "/email")]
    pub pointer: String,
    /// What kind of fault, for programs.
    #[schema(example = "not_an_email")]
    pub code: String,
    /// The same in words.
    #[schema(example = "is not an e-mail address")]
    pub detail: String,
}

/// The body of every failure, `application/problem+json`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// The page that explains the code.
    #[serde(rename = "type")]
    #[schema(example = "http://localhost:3000/errors/invalid")]
    kind: String,
    /// The code in words, the same at each occurrence.
    #[schema(example = "Some values cannot be taken")]
    title: &'static str,
    /// The response's status.
    #[schema(example = 422)]
    status: u16,
    /// What a program compares.
    #[schema(example = "invalid")]
    code: &'static str,
    /// What is special about this occurrence.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The path of the request.
    #[schema(example = "/v1/auth/register")]
    instance: String,
    /// The same as in `X-Request-Id`.
    #[schema(value_type = String, example = "req_01jhs3n5c8fq7t2v9w4x6y8zab")]
    request_id: String,
    /// The values that cannot be taken.
    errors: Vec<FieldError>,
}

impl Problem {
    /// With nothing but its code.
    pub fn new(code: Code) -> Self {
        let retry_after_seconds = (code.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        Self { code, detail: None, errors: vec![], retry_after_seconds, cause: None }
    }

    /// A value that cannot be taken: 422 with this and whatever else is added.
    pub fn value(pointer: &str, code: &str, detail: &str) -> Self {
        Self::new(Code::Invalid).invalid(pointer, code, detail)
    }

    /// What is special about this occurrence.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// One more value that cannot be taken.
    #[must_use]
    pub fn invalid(mut self, pointer: &str, code: &str, detail: &str) -> Self {
        self.errors.push(FieldError { pointer: pointer.into(), code: code.into(), detail: detail.into() });
        self
    }

    /// When to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds.max(1));
        self
    }

    /// What the log says under the request id.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Cause>) -> Self {
        self.cause = Some(Arc::new(cause.into()));
        self
    }

    /// A defect of ours.
    pub fn internal(cause: impl Into<Cause>) -> Self {
        Self::new(Code::Internal).caused_by(cause)
    }

    /// What the caller can compare.
    pub fn code(&self) -> Code {
        self.code
    }

    pub(crate) fn said(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    pub(crate) fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    fn body(&self, origin: &Origin<'_>) -> ProblemBody {
        ProblemBody {
            kind: format!("{}/errors/{}", origin.public_url, self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            code: self.code.as_str(),
            detail: self.detail.clone(),
            instance: origin.path.to_owned(),
            request_id: origin.request_id.map(|id| id.to_string()).unwrap_or_default(),
            errors: self.errors.clone(),
        }
    }

    /// RFC 9110, 11.6.1: a 401 names the way to authenticate; RFC 6750, 3.1 and RFC 9470, 3 name the reason.
    fn challenge(&self) -> Option<HeaderValue> {
        let challenge = match self.code {
            Code::TokenOutdated | Code::SessionEnded => "Bearer error=\"invalid_token\"",
            code if code.status() == StatusCode::UNAUTHORIZED => "Bearer",
            _ => return None,
        };
        Some(HeaderValue::from_static(challenge))
    }

    fn log(&self) {
        if !self.code.status().is_server_error() {
            return;
        }
        let cause = self.cause.as_deref().map(|cause| chain(cause.as_ref())).unwrap_or_default();
        tracing::error!(code = self.code.as_str(), cause, "request failed");
    }
}

/// Where a problem occurred.
struct Origin<'a> {
    public_url: &'a str,
    path: &'a str,
    request_id: Option<RequestId>,
}

/// An error and what led to it, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        let code = match error {
            DbError::Unavailable(_) | DbError::InTheWay(_) => Code::Unavailable,
            DbError::Timeout(_) | DbError::Expired => Code::TimedOut,
            DbError::Constraint { .. }
            | DbError::Failed
            | DbError::NoRow(_)
            | DbError::Query(_)
            | DbError::Settings(_) => Code::Internal,
        };
        Self::new(code).caused_by(error)
    }
}

impl IntoResponse for Problem {
    /// Without the request's id and path, which [`complete`] adds at the edge.
    fn into_response(self) -> Response {
        let mut response = self.render(&Origin { public_url: "", path: "", request_id: None });
        response.extensions_mut().insert(self);
        response
    }
}

impl Problem {
    fn render(&self, origin: &Origin<'_>) -> Response {
        let body = serde_json::to_vec(&self.body(origin)).unwrap_or_default();
        let mut response =
            (self.code.status(), [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(challenge) = self.challenge() {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Gives a problem its request's id and path, and logs it; any other response passes.
pub(crate) fn complete(response: Response, public_url: &str, path: &str, request_id: RequestId) -> Response {
    let (mut parts, body) = response.into_parts();
    let Some(problem) = parts.extensions.remove::<Problem>() else {
        return Response::from_parts(parts, body);
    };
    problem.log();
    let origin = Origin { public_url, path, request_id: Some(request_id) };
    parts.headers.remove(header::CONTENT_LENGTH);
    if exceptions::is_segment(path) {
        let (of_segment, body) = exceptions::failure(&problem, request_id).into_parts();
        parts.status = of_segment.status;
        parts.headers.extend(of_segment.headers);
        parts.extensions.insert(problem.code);
        return Response::from_parts(parts, body);
    }
    let rendered = problem.render(&origin).into_body();
    parts.extensions.insert(problem.code);
    Response::from_parts(parts, rendered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the outer")]
    struct Outer(#[source] std::fmt::Error);

    #[test]
    fn a_body_never_carries_the_cause() {
        let problem = Problem::internal(Outer(std::fmt::Error));
        let body = problem.body(&Origin { public_url: "http://x", path: "/v1/y", request_id: None });
        let text = serde_json::to_string(&body).unwrap();
        assert!(text.contains("http://x/errors/internal") && !text.contains("outer"), "{text}");
        assert!(chain(problem.cause.unwrap().as_ref().as_ref()).starts_with("the outer: "));
    }

    #[test]
    fn a_401_names_the_way_to_authenticate() {
        let response = Problem::new(Code::TokenOutdated).into_response();
        assert_eq!(response.headers()["www-authenticate"], "Bearer error=\"invalid_token\"");
    }

    #[test]
    fn an_absent_database_says_when_to_try_again() {
        let response = Problem::from(DbError::Unavailable("gone".into())).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "1");
    }
}
