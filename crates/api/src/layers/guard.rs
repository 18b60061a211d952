//! A request ends: with an answer, after 30 s, or, if its handler panics, with a 500 like any other defect.

use crate::{Code, Problem};
use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

const LIMIT: Duration = Duration::from_secs(30);

pub(super) async fn guard(request: Request, next: Next) -> Response {
    bounded(LIMIT, next.run(request)).await
}

async fn bounded(limit: Duration, answer: impl Future<Output = Response>) -> Response {
    let answer = AssertUnwindSafe(answer).catch_unwind();
    match tokio::time::timeout(limit, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => Problem::internal(format!("a panic: {}", text(&*panic))).into_response(),
        Err(_) => Problem::new(Code::TimedOut).into_response(),
    }
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    #[tokio::test]
    async fn a_request_that_does_not_end_is_answered_all_the_same() {
        let answer = bounded(Duration::from_millis(5), std::future::pending()).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.extensions().get::<Problem>().map(Problem::code), Some(Code::TimedOut));
        let in_time = bounded(LIMIT, async { StatusCode::NO_CONTENT.into_response() }).await;
        assert_eq!(in_time.status(), StatusCode::NO_CONTENT);
    }
}
