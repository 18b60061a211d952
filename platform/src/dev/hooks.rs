//! `/dev/hooks`: a receiver of webhooks that shows what it got, and answers 200 to all of it.

use super::page::{Shown, escape};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::Response,
    routing::get,
};
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};
use types::{Clock, Timestamp};

/// Webhooks that are kept.
const KEPT: usize = 200;

#[derive(Clone, Serialize)]
struct Hook {
    at: Timestamp,
    path: String,
    headers: BTreeMap<String, String>,
    body: Value,
}

#[derive(Clone)]
struct Sink {
    clock: Clock,
    hooks: Arc<Mutex<VecDeque<Hook>>>,
}

pub(super) fn routes() -> Router {
    let sink = Sink { clock: Clock::system(), hooks: Arc::default() };
    let below = get(show).post(receive);
    Router::new().route("/dev/hooks", below.clone()).route("/dev/hooks/{*path}", below).with_state(sink)
}

async fn receive(State(sink): State<Sink>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
    let body = serde_json::from_slice(&body).unwrap_or_else(|_| Value::String(text(&body)));
    let hook = Hook { at: sink.clock.now(), path: uri.path().to_owned(), headers, body };
    let mut hooks = sink.hooks.lock().unwrap_or_else(PoisonError::into_inner);
    hooks.push_front(hook);
    hooks.truncate(KEPT);
    StatusCode::OK
}

/// Newest first; a path shows what it received itself, `/dev/hooks` everything.
async fn show(State(sink): State<Sink>, uri: Uri, headers: HeaderMap) -> Response {
    let hooks: Vec<_> = sink.hooks.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
    let hooks: Vec<_> = hooks.into_iter().filter(|hook| hook.path.starts_with(uri.path())).collect();
    shown(&hooks).answer(&headers, article)
}

fn shown(items: &[Hook]) -> Shown<'_, Hook> {
    Shown { title: "Webhooks", none: "No webhook yet. Make an endpoint with this URL and look again.", items }
}

fn article(hook: &Hook) -> String {
    let of = hook.body["type"].as_str().unwrap_or("no type");
    let headers: Vec<_> = hook.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let body = serde_json::to_string_pretty(&hook.body).unwrap_or_default();
    let [of, path, headers, body] = [of, &hook.path, &headers.join("\n"), &body].map(escape);
    format!("<h2>{of}</h2><small>{path}, {}</small><pre>{headers}</pre><pre>{body}</pre>", hook.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_webhook_says_is_text_on_the_page() {
        let body = serde_json::json!({ "type": "<script>" });
        let hook = Hook { at: Timestamp::from_millis(0), path: "/dev/hooks".into(), headers: BTreeMap::new(), body };
        let page = shown(&[hook]).page(article);
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"));
    }
}
