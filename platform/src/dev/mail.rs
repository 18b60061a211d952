//! `/dev/mail`: every mail ends here. JSON for programs, a page for people.

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use identity::{CaughtMail, Mailer};
use std::collections::HashMap;

pub(super) fn routes(mailer: Mailer) -> Router {
    Router::new().route("/dev/mail", get(mails)).with_state(mailer)
}

/// Newest first; `?address=` picks those to one address.
async fn mails(
    State(mailer): State<Mailer>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let wanted = |mail: &CaughtMail| query.get("address").is_none_or(|address| *address == mail.to);
    let mails: Vec<_> = mailer.caught().into_iter().rev().filter(wanted).collect();
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/html") {
        let policy = [(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        )];
        (policy, Html(page(&mails))).into_response()
    } else {
        Json(mails).into_response()
    }
}

fn page(mails: &[CaughtMail]) -> String {
    let style = "body{font:15px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}\
                 article{border-top:1px solid #8886;padding:1rem 0}pre{white-space:pre-wrap;overflow-wrap:anywhere}small{opacity:.7}";
    let show = |mail: &CaughtMail| {
        let [to, subject, text] = [&mail.to, &mail.subject, &mail.text].map(|part| escape(part));
        format!("<article><h2>{subject}</h2><small>to {to}, {}</small><pre>{text}</pre></article>", mail.at)
    };
    let list: String = mails.iter().map(show).collect();
    let list = if list.is_empty() { "<p>No mail yet. Register an address and look again.</p>" } else { &list };
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Mail</title><style>{style}</style><h1>Mail</h1>{list}</html>"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Timestamp;

    #[test]
    fn what_a_mail_says_is_text_on_the_page() {
        let (to, subject) = ("a@example.com".to_owned(), "<script>".to_owned());
        let mail = CaughtMail { at: Timestamp::from_millis(0), to, subject, text: "a & b".to_owned() };
        let page = page(&[mail]);
        assert!(page.contains("&lt;script&gt;") && page.contains("a &amp; b") && !page.contains("<script>"));
    }
}
