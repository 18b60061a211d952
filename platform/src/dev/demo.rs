//! Demo data: an organization, three people, two resource types; made once, through the API as far as it goes.

use crate::Server;
use anyhow::{Context, Result, ensure};
use db::Work;
use identity::Account;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt;
use types::{Email, Role};

/// The runbook's test user.
pub(crate) const EMAIL: &str = "test@example.com";
/// Its password; no rule is relaxed for it, its hash is written directly.
pub(crate) const PASSWORD: &str = "test123";

/// Types that are made.
const TYPES: usize = 2;

/// What there is.
pub(crate) struct Demo {
    pub(crate) organization: String,
    pub(crate) people: usize,
    pub(crate) types: usize,
    pub(crate) resources: usize,
}

impl fmt::Display for Demo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { organization, people, types, resources } = self;
        write!(f, "organization {organization}, {people} people, {types} resource types, {resources} resources")
    }
}

/// Makes what is missing; says what there is, or nothing when the test user has another password by now.
pub(crate) async fn seed(server: &Server) -> Result<Option<Demo>> {
    people(server).await?;
    let Some(api) = Api::sign_in(server).await? else { return Ok(None) };
    if api.count().await?.types < TYPES {
        // The first time, or it was cut short.
        api.fill().await?;
    }
    api.count().await.map(Some)
}

async fn people(server: &Server) -> Result<()> {
    let (app, hasher) = (&server.identity().app, &server.identity().hasher);
    let owner = Email::parse(EMAIL)?;
    if identity::has_account(app, &owner).await? {
        return Ok(());
    }
    let account =
        async |email: Email, name: &str| Ok::<_, anyhow::Error>(Account::hashed(hasher, email, name, PASSWORD).await?);
    let owner = account(owner, "Test User").await?;
    let others = [
        account(Email::parse("ada@example.com")?, "Ada Lovelace").await?,
        account(Email::parse("grace@example.com")?, "Grace Hopper").await?,
    ];
    let tx = app.db.system(Work::Administration).await?;
    let founder = identity::seed(app, &tx, &owner).await?;
    let organization = orgs::found(app, &tx, "Acme", &founder).await?;
    for (account, role) in others.iter().zip([Role::Admin, Role::Member]) {
        let one = identity::seed(app, &tx, account).await?;
        let (now, name) = (app.clock.now(), one.name.as_deref());
        orgs::join(&tx, organization.id, one.user, role.as_str(), &one.email, &one.email_key, name, now).await?;
    }
    Ok(tx.commit().await?)
}

/// The API, as the test user.
struct Api {
    client: reqwest::Client,
    base: String,
    token: String,
}

impl Api {
    async fn sign_in(server: &Server) -> Result<Option<Self>> {
        let base = format!("http://{}/v1", server.address());
        let client = reqwest::Client::builder().no_proxy().build()?;
        let token = match token(&client, &base).await {
            Ok(token) => token,
            Err(error) if error.status() == Some(StatusCode::UNAUTHORIZED) => return Ok(None),
            Err(error) => return Err(error).context("the test user signs in"),
        };
        Ok(Some(Self { client, base, token }))
    }

    async fn fill(&self) -> Result<()> {
        let text = json!({ "type": "string" });
        let note = json!({ "type": "object", "required": ["title"], "additionalProperties": false,
            "properties": { "title": text, "body": text, "priority": { "type": "integer" } } });
        let contact = json!({ "type": "object", "required": ["name"], "properties": { "name": text, "city": text } });
        let number = json!([{ "field": "priority", "type": "number" }]);
        self.post("resource-types", json!({ "name": "note", "schema": note, "indexed": number })).await?;
        let city = json!([{ "field": "city", "type": "text" }]);
        self.post("resource-types", json!({ "name": "contact", "schema": contact, "indexed": city })).await?;
        for (title, priority) in [("Read the reference", 1), ("Make a resource type", 2), ("Invite a colleague", 3)] {
            self.post("resources", json!({ "type": "note", "document": { "title": title, "priority": priority } }))
                .await?;
        }
        for (name, city) in [("Charles Babbage", "London"), ("Konrad Zuse", "Berlin")] {
            self.post("resources", json!({ "type": "contact", "document": { "name": name, "city": city } })).await?;
        }
        Ok(())
    }

    async fn post(&self, path: &str, body: Value) -> Result<()> {
        let request = self.client.post(format!("{}/{path}", self.base)).bearer_auth(&self.token).json(&body);
        // After a start that was cut short, what is there already is not made again.
        let key = format!("demo {path} {body}");
        let answer = request.header("idempotency-key", &key[..key.len().min(200)]).send().await?;
        let status = answer.status();
        let is_there = status == StatusCode::CONFLICT;
        ensure!(status.is_success() || is_there, "demo data: POST {path} answered {status}: {}", answer.text().await?);
        Ok(())
    }

    async fn count(&self) -> Result<Demo> {
        let people = self.get("users?limit=200").await?;
        let types = self.get("resource-types?limit=200").await?;
        let organization = self.get("organization").await?;
        let names = types["data"].as_array().into_iter().flatten().filter_map(|one| one["name"].as_str());
        let mut resources = 0;
        for name in names {
            resources += length(&self.get(&format!("resources?type={name}&limit=200")).await?);
        }
        let organization = organization["name"].as_str().unwrap_or_default().to_owned();
        Ok(Demo { organization, people: length(&people), types: length(&types), resources })
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let request = self.client.get(format!("{}/{path}", self.base)).bearer_auth(&self.token);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }
}

fn length(page: &Value) -> usize {
    page["data"].as_array().map_or(0, Vec::len)
}

/// A fresh token of the test user.
pub(crate) async fn token(client: &reqwest::Client, base: &str) -> reqwest::Result<String> {
    #[derive(Deserialize)]
    struct SignedIn {
        access_token: String,
    }
    let login = client.post(format!("{base}/auth/login")).json(&json!({ "email": EMAIL, "password": PASSWORD }));
    let answer: SignedIn = login.send().await?.error_for_status()?.json().await?;
    Ok(answer.access_token)
}
