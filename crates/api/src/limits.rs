//! Who may call how often: token buckets in this process (later leased from Redis), no round trip a request.

use crate::{Client, Code, Metrics, Problem};
use http::{HeaderMap, HeaderValue, request::Parts};
use moka::sync::Cache;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use types::UserId;

/// So many buckets at most; the least used go first.
const CAPACITY: u64 = 200_000;

/// How many requests in which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its name in headers and metrics.
    pub name: &'static str,
    /// How many at once, and in each window.
    pub quota: u32,
    /// In which time a spent quota is full again.
    pub window: Duration,
}

impl Policy {
    /// The part of the window that one takes.
    fn price(self) -> Duration {
        self.window / self.quota.max(1)
    }
}

/// The limits of all requests.
#[derive(Clone, Copy, Debug)]
pub struct Quotas {
    /// Of an address (/64 for IPv6); none: no limit.
    pub per_address: Option<u32>,
    /// Of a person; none: no limit.
    pub per_person: Option<u32>,
}

impl Default for Quotas {
    /// Requests a minute.
    fn default() -> Self {
        Self { per_address: Some(3_000), per_person: Some(1_500) }
    }
}

/// The buckets. A clone is the same.
#[derive(Clone)]
pub struct Limits {
    quotas: Quotas,
    buckets: Cache<(&'static str, String), Arc<Mutex<Bucket>>>,
    metrics: Metrics,
}

/// How much of a window is spent; time pays it back.
struct Bucket {
    spent: Duration,
    at: Instant,
}

/// What is left of a policy, for the headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    policy: Policy,
    remaining: u32,
    /// Until there is one more, when none is left; else until all are back.
    reset_seconds: u64,
}

/// What a request has taken from, for the layer that writes the headers.
#[derive(Clone, Default)]
pub(crate) struct Taken(Arc<Mutex<Vec<Left>>>);

impl Limits {
    /// With these quotas.
    pub fn new(quotas: Quotas, metrics: Metrics) -> Self {
        let buckets = Cache::builder().max_capacity(CAPACITY).time_to_idle(Duration::from_hours(1)).build();
        Self { quotas, buckets, metrics }
    }

    /// Takes one from a policy's bucket, or says when there is one again.
    pub fn take(&self, policy: Policy, key: &impl ToString) -> Result<Left, Problem> {
        let fresh = || Arc::new(Mutex::new(Bucket { spent: Duration::ZERO, at: Instant::now() }));
        let bucket = self.buckets.get_with((policy.name, key.to_string()), fresh);
        let taken = bucket.lock().unwrap_or_else(PoisonError::into_inner).take(policy, Instant::now());
        taken.map_err(|wait| {
            self.metrics.limited(policy.name);
            Problem::new(Code::Limited).retry_after(whole_seconds(wait))
        })
    }

    /// Puts one back that turned out not to count.
    pub fn put_back(&self, policy: Policy, key: &impl ToString) {
        if let Some(bucket) = self.buckets.get(&(policy.name, key.to_string())) {
            let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            bucket.spent = bucket.spent.saturating_sub(policy.price());
        }
    }

    /// The quotas of all requests.
    pub fn quotas(&self) -> Quotas {
        self.quotas
    }

    /// What every request takes from.
    pub(crate) fn address(&self, client: &Client, taken: &Taken) -> Result<(), Problem> {
        self.every("address", self.quotas.per_address, &client.network(), taken)
    }

    /// What every request of a person takes from.
    pub(crate) fn person(&self, parts: &Parts, user: UserId) -> Result<(), Problem> {
        let taken = parts.extensions.get::<Taken>().cloned().unwrap_or_default();
        self.every("person", self.quotas.per_person, &user, &taken)
    }

    fn every(&self, name: &'static str, quota: Option<u32>, key: &impl ToString, taken: &Taken) -> Result<(), Problem> {
        let Some(quota) = quota else { return Ok(()) };
        let policy = Policy { name, quota, window: Duration::from_mins(1) };
        let left = self.take(policy, key);
        let shown = left.as_ref().map_or(Left { policy, remaining: 0, reset_seconds: 1 }, |left| *left);
        taken.0.lock().unwrap_or_else(PoisonError::into_inner).push(shown);
        left.map(drop)
    }
}

impl Bucket {
    fn take(&mut self, policy: Policy, now: Instant) -> Result<Left, Duration> {
        let price = policy.price();
        self.spent = self.spent.saturating_sub(now.saturating_duration_since(self.at));
        self.at = now;
        let spent = self.spent + price;
        if spent > policy.window {
            return Err(spent.saturating_sub(policy.window));
        }
        self.spent = spent;
        let remaining = policy.window.saturating_sub(spent).as_nanos().checked_div(price.as_nanos()).unwrap_or(0);
        let remaining = u32::try_from(remaining).unwrap_or(policy.quota);
        Ok(Left { policy, remaining, reset_seconds: whole_seconds(spent) })
    }
}

fn whole_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

impl Taken {
    /// `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-10.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.is_empty() {
            return;
        }
        let policies = taken.iter().map(|left| {
            let Policy { name, quota, window } = left.policy;
            format!("\"{name}\";q={quota};w={}", window.as_secs())
        });
        let limits =
            taken.iter().map(|left| format!("\"{}\";r={};t={}", left.policy.name, left.remaining, left.reset_seconds));
        let lists = [("ratelimit-policy", policies.collect::<Vec<_>>()), ("ratelimit", limits.collect())];
        for (name, list) in lists {
            if let Ok(value) = HeaderValue::try_from(list.join(", ")) {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { name: "test", quota: 2, window: Duration::from_secs(10) };

    #[test]
    fn a_spent_bucket_fills_again_with_time() {
        let start = Instant::now();
        let mut bucket = Bucket { spent: Duration::ZERO, at: start };
        assert_eq!(bucket.take(POLICY, start).unwrap().remaining, 1);
        assert_eq!(bucket.take(POLICY, start), Ok(Left { policy: POLICY, remaining: 0, reset_seconds: 10 }));
        assert_eq!(bucket.take(POLICY, start), Err(Duration::from_secs(5)));
        assert!(bucket.take(POLICY, start + Duration::from_secs(5)).is_ok());
    }

    #[test]
    fn what_is_put_back_can_be_taken_again() {
        let limits = Limits::new(Quotas::default(), Metrics::new("0.0.0"));
        for _ in 0..10 {
            assert!(limits.take(POLICY, &"a").is_ok());
            limits.put_back(POLICY, &"a");
        }
    }

    #[test]
    fn keys_do_not_share_a_bucket() {
        let limits = Limits::new(Quotas::default(), Metrics::new("0.0.0"));
        assert!(limits.take(POLICY, &"a").is_ok() && limits.take(POLICY, &"a").is_ok());
        assert_eq!(limits.take(POLICY, &"a").unwrap_err().code(), Code::Limited);
        assert!(limits.take(POLICY, &"b").is_ok());
    }
}
