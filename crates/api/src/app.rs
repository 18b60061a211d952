//! What every handler can reach, whatever its context.

use crate::{Authority, Denials, Limits, Metrics, Network, Revocations, Smoke, TokenCache};
use db::{Db, secrets::MasterKey};
use std::{ops::Deref, sync::Arc};
use tokio::sync::Notify;
use types::{Clock, Rng};

/// The application's state; a clone is the same one.
#[derive(Clone)]
pub struct App(Arc<Shared>);

struct Shared {
    parts: AppParts,
    /// Wakes the worker of jobs of this process.
    job_waits: Notify,
}

/// The parts of [`App`].
pub struct AppParts {
    /// The database.
    pub db: Db,
    /// Time of schedules and expiries.
    pub clock: Clock,
    /// Randomness of ids and secrets.
    pub rng: Rng,
    /// Who knows tokens and roles.
    pub authority: Authority,
    /// Which tokens were overtaken by a change.
    pub revocations: Revocations,
    /// Tokens that were verified before.
    pub tokens: TokenCache,
    /// Who was refused what.
    pub denials: Denials,
    /// Who may call how often.
    pub limits: Limits,
    /// The root of secrets at rest.
    pub secrets: Arc<MasterKey>,
    /// What the operator chose.
    pub config: ApiConfig,
    /// What is counted.
    pub metrics: Metrics,
}

/// What the operator chose about the HTTP side.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// Where the world reaches the platform, without a slash at the end: issuer of tokens, base of links.
    pub public_url: String,
    /// Origins whose scripts may call the API (CORS); none: no other origin's.
    pub cors_origins: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed; none: nobody's.
    pub trusted_proxies: Vec<Network>,
    /// The platform's version.
    pub version: String,
    /// What the smoke test may; none: there is no such thing.
    pub smoke: Option<Smoke>,
}

impl App {
    /// From its parts.
    pub fn new(parts: AppParts) -> Self {
        Self(Arc::new(Shared { parts, job_waits: Notify::new() }))
    }

    /// Somebody put a job into a transaction that was committed.
    pub fn job_waits(&self) {
        self.0.job_waits.notify_one();
    }

    /// Waits until somebody did.
    pub(crate) async fn job(&self) {
        self.0.job_waits.notified().await;
    }
}

impl Deref for App {
    type Target = AppParts;
    fn deref(&self) -> &AppParts {
        &self.0.parts
    }
}
