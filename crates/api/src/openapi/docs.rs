//! The document as JSON and as a page for people, without any request to elsewhere; a page for each error code.

use crate::{Code, PathId, Problem};
use axum::{
    Router,
    body::Bytes,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderName, header};
use utoipa::openapi::OpenApi;

const HTML: &str = include_str!("docs.html");
const CSS: &str = include_str!("docs.css");
const JS: &str = include_str!("docs.js");

/// Nothing but our own three files, and no frame around them.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// `/v1/openapi.json`, `/docs` and `/errors/{code}`.
pub fn routes(document: &OpenApi) -> Router {
    let document = Bytes::from(serde_json::to_vec(document).unwrap_or_default());
    Router::new()
        .route("/v1/openapi.json", get(move || std::future::ready(file("application/json", document))))
        .route("/docs", get(|| std::future::ready(file("text/html; charset=utf-8", HTML))))
        .route("/docs/docs.css", get(|| std::future::ready(file("text/css; charset=utf-8", CSS))))
        .route("/docs/docs.js", get(|| std::future::ready(file("text/javascript; charset=utf-8", JS))))
        .route("/errors/{code}", get(error_page))
}

fn file(kind: &'static str, body: impl IntoResponse) -> Response {
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        // A new version of the platform is seen at once.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, body).into_response()
}

/// Where a problem's `type` leads.
async fn error_page(PathId(name): PathId<String>) -> Result<Response, Problem> {
    let code = Code::ALL.iter().find(|code| code.as_str() == name).ok_or(Code::NotFound)?;
    Ok(file("text/markdown; charset=utf-8", code.page()))
}
