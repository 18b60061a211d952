//! `/dev/mail`: every mail ends here.

use super::page::{Shown, escape};
use axum::{
    Router,
    extract::{Query, State},
    http::HeaderMap,
    response::Response,
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
    shown(&mails).answer(&headers, article)
}

fn shown(items: &[CaughtMail]) -> Shown<'_, CaughtMail> {
    Shown { title: "Mail", none: "No mail yet. Register an address and look again.", items }
}

fn article(mail: &CaughtMail) -> String {
    let [to, subject, text] = [&mail.to, &mail.subject, &mail.text].map(|part| escape(part));
    format!("<h2>{subject}</h2><small>to {to}, {}</small><pre>{text}</pre>", mail.at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Timestamp;

    #[test]
    fn what_a_mail_says_is_text_on_the_page() {
        let (to, subject) = ("a@example.com".to_owned(), "<script>".to_owned());
        let mail = CaughtMail { at: Timestamp::from_millis(0), to, subject, text: "a & b".to_owned() };
        let page = shown(&[mail]).page(article);
        assert!(page.contains("&lt;script&gt;") && page.contains("a &amp; b") && !page.contains("<script>"));
    }
}
