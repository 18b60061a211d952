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
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(LIMIT, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => Problem::internal(format!("a panic: {}", text(&*panic))).into_response(),
        Err(_) => Problem::new(Code::TimedOut).into_response(),
    }
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a text")
}
