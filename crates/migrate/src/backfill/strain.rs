//! Whether others suffer: standbys that fall behind, requests that take long.

use super::{BackfillError, latency::Histogram};
use crate::lag::{self, Lag};
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);
/// Fewer requests say nothing of a p95; the next look has more.
const REQUESTS: f64 = 20.0;
/// What was last seen of the p95 holds for so long.
const HOLDS: Duration = Duration::from_secs(30);
/// The platform answers faster, or suffers.
const ANSWER: Duration = Duration::from_secs(2);

/// What a backfill may do to others.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How far a standby may be behind.
    pub lag: Duration,
    /// How long 95 % of the requests may take.
    pub p95: Duration,
    /// Where the platform's metrics are, each process's; none: nobody looks at the p95.
    pub metrics: Vec<String>,
}

/// Looks, and remembers what it has to.
pub(super) struct Watch<'a> {
    client: &'a Client,
    limits: &'a Limits,
    http: reqwest::Client,
    before: Histogram,
    /// What was last found about the p95, and when.
    slow: Option<(Instant, Option<String>)>,
    looked: Option<Instant>,
    strain: Option<String>,
}

impl<'a> Watch<'a> {
    /// Begins with a look, so that what cannot be looked at is said before anything runs.
    pub(super) async fn begin(client: &'a Client, limits: &'a Limits) -> Result<Self, BackfillError> {
        let bad = |error: reqwest::Error| BackfillError::Metrics(limits.metrics.join(" "), error.to_string());
        let http = reqwest::Client::builder().timeout(ANSWER).no_proxy().build().map_err(bad)?;
        let mut watch =
            Self { client, limits, http, before: Histogram::default(), slow: None, looked: None, strain: None };
        if lag::beyond(client, limits.lag).await? == Lag::Unseen {
            return Err(BackfillError::UnseenLag);
        }
        watch.before = watch.scrape().await.map_err(|(url, why)| BackfillError::Metrics(url, why))?;
        Ok(watch)
    }

    /// What others suffer from, as last seen.
    pub(super) fn strain(&self) -> Option<&str> {
        self.strain.as_deref()
    }

    /// Looks when it is time to; whether it did.
    pub(super) async fn look(&mut self) -> Result<bool, BackfillError> {
        if self.looked.is_some_and(|at| at.elapsed() < EVERY) {
            return Ok(false);
        }
        self.looked = Some(Instant::now());
        self.strain = match lag::beyond(self.client, self.limits.lag).await? {
            Lag::Behind(behind) => Some(behind.to_string()),
            Lag::Unseen => return Err(BackfillError::UnseenLag),
            Lag::Within => self.slow_requests().await,
        };
        Ok(true)
    }

    /// Metrics that cannot be had count as strain: whoever asked to look after the platform must not be told it is well.
    async fn slow_requests(&mut self) -> Option<String> {
        let now = match self.scrape().await {
            Ok(now) => now,
            Err((url, why)) => return Some(format!("{url} cannot be asked: {why}")),
        };
        let since = now.since(&self.before);
        if since.requests() >= REQUESTS {
            let (p95, most) = (since.p95(), self.limits.p95.as_secs_f64());
            let slow = (p95 > most).then(|| format!("p95 of requests is {:.0} ms", p95 * 1000.0));
            (self.before, self.slow) = (now, Some((Instant::now(), slow)));
        }
        let held = self.slow.as_ref().filter(|(at, _)| at.elapsed() < HOLDS);
        held.and_then(|(_, slow)| slow.clone())
    }

    /// All processes' histograms in one; the URL that failed, and why.
    async fn scrape(&self) -> Result<Histogram, (String, String)> {
        let mut all = Histogram::default();
        for url in &self.limits.metrics {
            let failed = |error: reqwest::Error| (url.clone(), error.without_url().to_string());
            let answer =
                self.http.get(url).send().await.and_then(reqwest::Response::error_for_status).map_err(failed)?;
            if !all.add(&answer.text().await.map_err(failed)?) {
                return Err((url.clone(), "this is no page of the platform's metrics".to_owned()));
            }
        }
        Ok(all)
    }
}
