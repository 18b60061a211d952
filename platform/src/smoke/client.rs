//! How the smoke test talks to an installation.

use super::environment::Place;
use anyhow::{Context, Result};
use api::Smoke;
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use std::time::Duration;

const ANSWER: Duration = Duration::from_secs(10);

/// Who asks.
#[derive(Clone, Copy)]
pub(super) enum As<'a> {
    Nobody,
    Person(&'a str),
    SmokeKey,
    /// An analytics write key.
    Source(&'a str),
}

/// An answer that was wanted.
pub(super) struct Answer {
    pub(super) etag: Option<String>,
    pub(super) body: Value,
}

/// A running installation.
pub(super) struct Installation {
    client: Client,
    pub(super) url: String,
    key: String,
    pub(super) smoke: Smoke,
}

impl Installation {
    pub(super) fn new(place: &Place) -> Result<Self> {
        let agent = concat!("platform-smoke/", env!("CARGO_PKG_VERSION"));
        let client = Client::builder().timeout(ANSWER).user_agent(agent).build()?;
        let smoke = Smoke::new(&place.key, &place.domain).context("EAP_SMOKE_KEY")?;
        Ok(Self { client, url: place.url.clone(), key: place.key.clone(), smoke })
    }

    /// Asks, and wants a success.
    pub(super) async fn ask(&self, who: As<'_>, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        self.ask_if(who, method, path, body, None).await
    }

    /// The same on the condition that an ETag is current.
    pub(super) async fn ask_if(
        &self,
        who: As<'_>,
        method: Method,
        path: &str,
        body: Option<&Value>,
        etag: Option<&str>,
    ) -> Result<Answer> {
        let what = format!("{method} {path}");
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        request = match who {
            As::Nobody => request,
            As::Person(token) => request.bearer_auth(token),
            As::SmokeKey => request.bearer_auth(&self.key),
            As::Source(write_key) => request.basic_auth(write_key, Some("")),
        };
        if let Some(etag) = etag {
            request = request.header("if-match", etag);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.with_context(|| format!("{what} at {}", self.url))?;
        let status = answer.status();
        let etag = answer.headers().get("etag").and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let text = answer.text().await.with_context(|| what.clone())?;
        if !status.is_success() {
            return Err(Refused { what, status, reason: reason(&text) }.into());
        }
        Ok(Answer { etag, body: serde_json::from_str(&text).unwrap_or_default() })
    }
}

/// An answer that is none of success.
#[derive(Debug, thiserror::Error)]
#[error("{what} answered {status}{reason}")]
pub(super) struct Refused {
    what: String,
    pub(super) status: StatusCode,
    reason: String,
}

/// What a problem says.
fn reason(text: &str) -> String {
    let problem: Value = serde_json::from_str(text).unwrap_or_default();
    let said = ["title", "detail", "request_id"].map(|member| problem[member].as_str().unwrap_or_default());
    let said = said.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    if said.is_empty() { said } else { format!(": {said}") }
}
