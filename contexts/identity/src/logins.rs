//! How many sign-ins there were, and how they ended.

use api::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    result: &'static str,
}

/// The counter `platform_auth_logins_total`.
#[derive(Clone)]
pub(crate) struct Logins(Family<Labels, Counter>);

impl Logins {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let counter = Family::default();
        metrics.register("platform_auth_logins", "Sign-ins by how they ended", counter.clone());
        Self(counter)
    }

    /// One more, by password.
    pub(crate) fn password(&self, result: &'static str) {
        self.0.get_or_create(&Labels { method: "password", result }).inc();
    }
}
