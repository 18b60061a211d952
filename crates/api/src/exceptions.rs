//! The reviewed exceptions from the API's conventions: routes whose names, failures and CORS are another protocol's.

use crate::{Code, Problem};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use types::RequestId;
use utoipa::ToSchema;

/// Segment's HTTP API: its clients send events here, from servers and from any page.
const SEGMENT: [&str; 14] = [
    "/v1/track",
    "/v1/identify",
    "/v1/page",
    "/v1/screen",
    "/v1/group",
    "/v1/alias",
    "/v1/batch",
    "/v1/t",
    "/v1/i",
    "/v1/p",
    "/v1/s",
    "/v1/g",
    "/v1/a",
    "/v1/b",
];

pub(crate) fn is_segment(path: &str) -> bool {
    SEGMENT.contains(&path)
}

/// A failure as Segment's clients read it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SegmentFailure {
    /// Nothing of the request was stored.
    #[schema(example = false)]
    success: bool,
    /// What a program compares.
    #[schema(example = "unknown_write_key")]
    code: &'static str,
    /// The same in words.
    #[schema(example = "No source has this write key")]
    message: String,
    /// The same as in `X-Request-Id`.
    #[schema(value_type = String, example = "req_01jhs3n5c8fq7t2v9w4x6y8zab")]
    request_id: String,
}

/// What is too large is a 400: Segment's clients know no 413.
pub(crate) fn failure(problem: &Problem, request_id: RequestId) -> Response {
    let code = problem.code();
    let status = if code == Code::BodyTooLarge { StatusCode::BAD_REQUEST } else { code.status() };
    let message = problem.said().map_or_else(|| code.title().to_owned(), |said| format!("{}: {said}", code.title()));
    let body = SegmentFailure { success: false, code: code.as_str(), message, request_id: request_id.to_string() };
    let mut response = (status, Json(body)).into_response();
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"write key\""));
    }
    response
}
