//! The eight steps, by the names and in the order of the runbook.

use super::client::{As, Installation, Refused};
use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;
use types::Rng;

/// The runbook's.
pub(super) const NAMES: [&str; 8] = [
    "User registration",
    "User login",
    "List resources",
    "Create resource",
    "Update resource",
    "Delete resource",
    "Webhook delivery",
    "Analytics event tracking",
];

/// What arrives later is asked for this often.
const AGAIN: Duration = Duration::from_millis(100);

/// Whether its account is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Account {
    Absent,
    /// It was asked for, and no answer came.
    Unknown,
    Made,
}

/// A run, and what it has made so far.
pub(super) struct Run {
    installation: Installation,
    random: String,
    password: String,
    account: Account,
    token: Option<String>,
    /// Its id and its ETag.
    resource: Option<(String, String)>,
}

fn text(value: &Value, member: &str) -> Result<String> {
    value[member].as_str().map(str::to_owned).with_context(|| format!("the answer has no {member}"))
}

impl Run {
    pub(super) fn new(installation: Installation) -> Self {
        let rng = Rng::system();
        let (random, password) = (hex::encode(rng.bytes::<16>()), hex::encode(rng.bytes::<16>()));
        Self { installation, random, password, account: Account::Absent, token: None, resource: None }
    }

    /// The name of an earlier step without which this one means nothing.
    pub(super) fn needs(&self, number: usize) -> Option<&'static str> {
        match number {
            1.. if self.account != Account::Made => Some(NAMES[0]),
            2.. if self.token.is_none() => Some(NAMES[1]),
            4 | 5 if self.resource.is_none() => Some(NAMES[3]),
            _ => None,
        }
    }

    pub(super) async fn step(&mut self, number: usize) -> Result<()> {
        match number {
            0 => self.register().await,
            1 => self.sign_in().await,
            2 => self.list().await,
            3 => self.create().await,
            4 => self.update().await,
            5 => self.delete().await,
            6 => self.webhook().await,
            _ => self.track().await,
        }
    }

    fn address(&self) -> String {
        self.installation.smoke.address(&self.random)
    }

    async fn anybody(&self, path: &str, body: Value) -> Result<Value> {
        Ok(self.installation.ask(As::Nobody, Method::POST, path, Some(&body)).await?.body)
    }

    async fn person(&self, method: Method, path: &str, body: Option<Value>) -> Result<super::client::Answer> {
        let token = self.token.as_deref().unwrap_or_default();
        self.installation.ask(As::Person(token), method, path, body.as_ref()).await
    }

    async fn caught(&self, path: &str) -> Result<Vec<Value>> {
        let answer = self.installation.ask(As::SmokeKey, Method::GET, path, None).await?;
        Ok(answer.body["data"].as_array().cloned().unwrap_or_default())
    }

    async fn register(&mut self) -> Result<()> {
        let (email, password) = (self.address(), self.password.clone());
        let organization = format!("smoke {}", self.random);
        let body = json!({ "email": email, "password": password, "organization_name": organization });
        self.anybody("/v1/auth/register", body).await?;
        let token = loop {
            let mails = self.caught(&format!("/v1/smoke/mail?address={email}")).await?;
            let text = mails.last().and_then(|mail| mail["content"]["text"].as_str());
            if let Some(token) = text.and_then(|text| text.split("#token=").nth(1)) {
                break token.split_whitespace().next().unwrap_or_default().to_owned();
            }
            sleep(AGAIN).await;
        };
        self.account = Account::Unknown;
        self.anybody("/v1/auth/verify-email", json!({ "token": token, "password": password })).await?;
        self.account = Account::Made;
        Ok(())
    }

    async fn sign_in(&mut self) -> Result<()> {
        let body = json!({ "email": self.address(), "password": self.password });
        self.token = Some(text(&self.anybody("/v1/auth/login", body).await?, "access_token")?);
        Ok(())
    }

    async fn list(&mut self) -> Result<()> {
        let schema =
            json!({ "type": "object", "required": ["title"], "properties": { "title": { "type": "string" } } });
        let definition = json!({ "name": "smoke", "schema": schema, "indexed": [] });
        self.person(Method::POST, "/v1/resource-types", Some(definition)).await?;
        let page = self.person(Method::GET, "/v1/resources?type=smoke&limit=5", None).await?.body;
        ensure!(page["data"] == json!([]), "a new organization has resources already");
        Ok(())
    }

    async fn create(&mut self) -> Result<()> {
        let body = json!({ "type": "smoke", "document": { "title": "made" } });
        let made = self.person(Method::POST, "/v1/resources", Some(body)).await?;
        self.resource = Some((text(&made.body, "id")?, made.etag.context("the answer has no ETag")?));
        Ok(())
    }

    async fn update(&mut self) -> Result<()> {
        let (id, etag) = self.resource.clone().unwrap_or_default();
        let (path, body) = (format!("/v1/resources/{id}"), json!({ "document": { "title": "changed" } }));
        let who = As::Person(self.token.as_deref().unwrap_or_default());
        self.installation.ask_if(who, Method::PATCH, &path, Some(&body), Some(&etag)).await?;
        let read = self.person(Method::GET, &path, None).await?.body;
        ensure!(read["document"]["title"] == "changed", "the change is not there: {read}");
        Ok(())
    }

    async fn delete(&mut self) -> Result<()> {
        let (id, _) = self.resource.clone().unwrap_or_default();
        let path = format!("/v1/resources/{id}");
        self.person(Method::DELETE, &path, None).await?;
        ensure!(self.person(Method::GET, &path, None).await.is_err(), "it can still be read");
        Ok(())
    }

    async fn webhook(&mut self) -> Result<()> {
        let hook = format!("/v1/smoke/hooks/{}", self.installation.smoke.hook(&self.random));
        let endpoint = json!({ "url": format!("{}{hook}", self.installation.url), "event_types": ["smoke.sent"] });
        let made = self.person(Method::POST, "/v1/webhooks/endpoints", Some(endpoint)).await?.body;
        let secret = text(&made, "secret")?;
        let message = json!({ "type": "smoke.sent", "data": { "random": self.random } });
        self.person(Method::POST, "/v1/webhooks/messages", Some(message)).await?;
        loop {
            if let Some(caught) = self.caught(&hook).await?.first() {
                return signed(&caught["content"], &secret);
            }
            sleep(AGAIN).await;
        }
    }

    async fn track(&mut self) -> Result<()> {
        let source = self.person(Method::POST, "/v1/analytics/sources", Some(json!({ "name": "smoke" }))).await?.body;
        let write_key = text(&source, "write_key")?;
        let event = json!({ "event": "Smoke Tested", "userId": self.random, "properties": { "random": self.random } });
        self.installation.ask(As::Source(&write_key), Method::POST, "/v1/track", Some(&event)).await?;
        loop {
            let events = self.person(Method::GET, "/v1/analytics/events?limit=5", None).await?.body;
            if events.to_string().contains(&self.random) {
                return Ok(());
            }
            sleep(AGAIN).await;
        }
    }

    /// Erases the account with all that is its own, also one of which it is not known whether it was made.
    pub(super) async fn erase(&self) -> Result<()> {
        if self.account == Account::Absent {
            return Ok(());
        }
        let path = format!("/v1/smoke/accounts?address={}", self.address());
        let erased = self.installation.ask(As::SmokeKey, Method::DELETE, &path, None).await.map(drop);
        let is_absent = |error: &anyhow::Error| {
            error.downcast_ref::<Refused>().is_some_and(|refused| refused.status == StatusCode::NOT_FOUND)
        };
        erased.or_else(|error| if self.account == Account::Unknown && is_absent(&error) { Ok(()) } else { Err(error) })
    }
}

/// Standard Webhooks, v1: HMAC-SHA-256 over id, time and body.
fn signed(caught: &Value, secret: &str) -> Result<()> {
    let header = |name: &str| caught["headers"][name].as_str().unwrap_or_default();
    let body = caught["body"].as_str().unwrap_or_default();
    let key = BASE64.decode(secret.trim_start_matches("whsec_")).context("the endpoint's secret")?;
    let text = format!("{}.{}.{body}", header("webhook-id"), header("webhook-timestamp"));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key);
    let mut given =
        header("webhook-signature").split(' ').filter_map(|one| BASE64.decode(one.strip_prefix("v1,")?).ok());
    let is_signed = given.any(|signature| aws_lc_rs::hmac::verify(&key, text.as_bytes(), &signature).is_ok());
    ensure!(is_signed, "what was delivered is not signed with the endpoint's secret");
    Ok(())
}
