//! What development shows of what it caught: JSON for programs, a page for people.

use axum::{
    Json,
    http::{HeaderMap, header},
    response::{Html, IntoResponse, Response},
};
use serde::Serialize;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}\
                     article{border-top:1px solid #8886;padding:1rem 0}pre{white-space:pre-wrap;overflow-wrap:anywhere}small{opacity:.7}";

/// A list of things, and what the page says when there are none.
pub(super) struct Shown<'a, T> {
    pub(super) title: &'a str,
    pub(super) none: &'a str,
    pub(super) items: &'a [T],
}

impl<T: Serialize> Shown<'_, T> {
    /// In the form that is asked for; `show` makes the inside of an item's article.
    pub(super) fn answer(&self, headers: &HeaderMap, show: fn(&T) -> String) -> Response {
        let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !accepts.contains("text/html") {
            return Json(self.items).into_response();
        }
        let policy = [(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        )];
        (policy, Html(self.page(show))).into_response()
    }

    pub(super) fn page(&self, show: fn(&T) -> String) -> String {
        let Self { title, none, items } = self;
        let list: Vec<_> = items.iter().map(|item| format!("<article>{}</article>", show(item))).collect();
        let list = if list.is_empty() { format!("<p>{none}</p>") } else { list.concat() };
        format!(
            "<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{STYLE}</style><h1>{title}</h1>{list}</html>"
        )
    }
}

/// As text of a page.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
