//! What every request passes, outermost first: request id, span and log line; CORS; load shedding; address limit; time
//! limit and panic guard; body limit. Unknown routes and methods answer problems too.

mod any_origin;
mod guard;
mod trace;

use crate::{App, Code, Problem, limits::Taken};
use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{Next, from_fn, from_fn_with_state},
    response::Response,
};
use http::{HeaderName, HeaderValue, Method, header};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Unless a route says otherwise.
const MAX_BODY: usize = 1 << 20;
/// So many requests are answered at once; one more waits nowhere.
const MAX_CONCURRENT: usize = 512;

/// Puts everything around a service's routes.
pub fn wrap(router: Router, app: App) -> Router {
    let router = router
        .fallback(|| std::future::ready(Problem::new(Code::NotFound)))
        .method_not_allowed_fallback(|| std::future::ready(Problem::new(Code::MethodNotAllowed)))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn(guard::guard))
        .layer(from_fn_with_state(app.clone(), limit))
        .layer(from_fn_with_state(Arc::new(Semaphore::new(MAX_CONCURRENT)), shed));
    let router = match cors(&app.config.cors_origins) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    let router = router.layer(from_fn(any_origin::any_origin));
    router.layer(from_fn_with_state(app, trace::trace))
}

/// Probes answer whatever the load.
fn is_probe(request: &Request) -> bool {
    let path = request.uri().path();
    path == "/v1/health" || path.strip_prefix("/health").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

async fn shed(State(places): State<Arc<Semaphore>>, request: Request, next: Next) -> Result<Response, Problem> {
    if is_probe(&request) {
        return Ok(next.run(request).await);
    }
    let _place = places.try_acquire().map_err(|_| Problem::new(Code::Overloaded))?;
    Ok(next.run(request).await)
}

async fn limit(State(app): State<App>, mut request: Request, next: Next) -> Response {
    if is_probe(&request) {
        return next.run(request).await;
    }
    let taken = Taken::default();
    let client = request.extensions().get::<crate::Client>().cloned();
    let allowed = client.map_or(Ok(()), |client| app.limits.address(&client, &taken));
    request.extensions_mut().insert(taken.clone());
    let mut response = match allowed {
        Ok(()) => next.run(request).await,
        Err(problem) => axum::response::IntoResponse::into_response(problem),
    };
    taken.write(response.headers_mut());
    response
}

/// Closed unless origins are named.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    const EXPOSED: [&str; 8] = [
        "etag",
        "link",
        "location",
        "x-request-id",
        "idempotency-replayed",
        "ratelimit",
        "ratelimit-policy",
        "retry-after",
    ];
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let idempotency_key = HeaderName::from_static("idempotency-key");
    let headers = [header::AUTHORIZATION, header::CONTENT_TYPE, header::IF_MATCH, idempotency_key];
    (!origins.is_empty()).then(|| {
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods(methods)
            .allow_headers(headers)
            .expose_headers(EXPOSED.map(HeaderName::from_static))
            .max_age(Duration::from_mins(10))
    })
}
