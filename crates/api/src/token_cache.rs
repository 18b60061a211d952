//! Verified tokens: looking one up costs a hundredth of verifying its signature.

use crate::{Authority, Claims};
use aws_lc_rs::digest::{SHA256, digest};
use moka::sync::Cache;
use std::{sync::Arc, time::Duration};
use types::Timestamp;

/// Tokens live for 10 minutes; an entry is worth nothing after that.
const LIFETIME: Duration = Duration::from_mins(10);
const CAPACITY: u64 = 50_000;

/// Claims by the SHA-256 of their token; successes only, so that garbage does not drive out what is true.
#[derive(Clone)]
pub struct TokenCache(Cache<Vec<u8>, Arc<Claims>>);

impl Default for TokenCache {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(CAPACITY).time_to_live(LIFETIME).build())
    }
}

impl TokenCache {
    /// What the token claims, if it is valid and has not expired.
    pub(crate) fn verify(&self, authority: &Authority, now: Timestamp, token: &str) -> Option<Arc<Claims>> {
        let key = digest(&SHA256, token.as_bytes()).as_ref().to_vec();
        let claims = match self.0.get(&key) {
            Some(claims) => claims,
            None => self.learn(authority, key, token)?,
        };
        (claims.exp > now.as_secs()).then_some(claims)
    }

    /// What was true may not be any more: a key was retired.
    pub fn forget(&self) {
        self.0.invalidate_all();
    }

    fn learn(&self, authority: &Authority, key: Vec<u8>, token: &str) -> Option<Arc<Claims>> {
        let claims = Arc::new((authority.bearer)(token)?);
        self.0.insert(key, claims.clone());
        Some(claims)
    }
}
