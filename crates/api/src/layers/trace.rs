//! A request's id, its span, its one log line, its measure, and the headers of every response.

use crate::{App, Client, Code, metrics::RequestLabels, page, problem};
use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderValue, Method, Uri, header, request::Parts};
use std::time::{Duration, Instant};
use tracing::{Instrument, Span};
use types::RequestId;

/// What is known of a request before it is answered.
struct Seen {
    client: Client,
    method: Method,
    uri: Uri,
    /// The route's pattern; a path that matches none is no label, or anybody could make millions.
    route: String,
}

pub(super) async fn trace(State(app): State<App>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let (mut parts, body) = request.into_parts();
    let request_id = RequestId::new(&app.rng, app.clock.now());
    let client = Client::of(&parts, &app.config.trusted_proxies, request_id);
    parts.extensions.insert(client.clone());
    let route = parts.extensions.get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let seen = Seen { client, method: parts.method.clone(), uri: parts.uri.clone(), route };
    let span = span(&parts, request_id);
    let _active = app.metrics.begin();
    let answer = async {
        let response = next.run(Request::from_parts(parts, body)).await;
        finish(&app, &seen, response, start.elapsed())
    };
    answer.instrument(span).await
}

/// Every line that is logged on the way carries these.
fn span(parts: &Parts, request_id: RequestId) -> Span {
    let theirs = parts.headers.get("x-request-id").and_then(|id| id.to_str().ok());
    let theirs = theirs.filter(|id| id.len() <= 128);
    tracing::info_span!(
        "request",
        request_id = %request_id,
        client_request_id = theirs,
        trace_id = trace_id(&parts.headers),
    )
}

/// Of a W3C `traceparent`: version, trace id, parent id, flags.
fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let mut fields = headers.get("traceparent")?.to_str().ok()?.split('-');
    let id = fields.nth(1)?;
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

fn finish(app: &App, seen: &Seen, response: Response, took: Duration) -> Response {
    let request_id = seen.client.request_id;
    let mut response = problem::complete(response, &app.config.public_url, seen.uri.path(), request_id);
    page::link_next(&mut response, &seen.uri);
    head(response.headers_mut(), request_id);
    let code = response.extensions().get::<Code>().map_or("", |code| code.as_str());
    let labels = RequestLabels {
        http_request_method: method(&seen.method),
        http_route: seen.route.clone(),
        http_response_status_code: response.status().as_u16(),
        error_type: code,
    };
    app.metrics.observe(&labels, took.as_secs_f64());
    log(seen, &labels, took);
    response
}

/// Any other method is no label, or anybody could make millions.
fn method(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| method == known).unwrap_or("_OTHER")
}

fn log(seen: &Seen, labels: &RequestLabels, took: Duration) {
    let principal = seen.client.principal.get();
    tracing::info!(
        target: "request",
        method = labels.http_request_method,
        route = labels.http_route,
        path = seen.uri.path(),
        status = labels.http_response_status_code,
        ms = took.as_secs_f64() * 1_000.0,
        code = (!labels.error_type.is_empty()).then_some(labels.error_type),
        request_id = %seen.client.request_id,
        org = principal.and_then(|principal| principal.org).map(|org| org.to_string()),
        principal = principal.map(|principal| principal.user.to_string()),
    );
}

/// The headers of every response; a handler that says how its answer may be cached is left alone.
fn head(headers: &mut HeaderMap, request_id: RequestId) {
    if let Ok(id) = HeaderValue::try_from(request_id.to_string()) {
        headers.insert("x-request-id", id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
