//! What is counted of deliveries. No endpoint is a label.

use api::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// A clone is the same.
#[derive(Clone)]
pub(super) struct Counts {
    attempts: Family<Outcome, Counter>,
    pub(super) circuits_opened: Counter,
    pub(super) circuits_open: Gauge,
    pub(super) disabled: Counter,
}

impl Counts {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let counts = Self {
            attempts: Family::default(),
            circuits_opened: Counter::default(),
            circuits_open: Gauge::default(),
            disabled: Counter::default(),
        };
        metrics.register(
            "platform_webhook_attempts",
            "Requests to endpoints, by what came of them",
            counts.attempts.clone(),
        );
        metrics.register(
            "platform_webhook_circuits_opened",
            "Endpoints that failed too often in a row",
            counts.circuits_opened.clone(),
        );
        metrics.register(
            "platform_webhook_circuits_open",
            "Endpoints that are failing, of all organizations; the same in each process",
            counts.circuits_open.clone(),
        );
        metrics.register(
            "platform_webhook_endpoints_disabled",
            "Endpoints that get nothing any more because they failed for too long or are gone",
            counts.disabled.clone(),
        );
        counts
    }

    pub(super) fn attempt(&self, outcome: &'static str) {
        self.attempts.get_or_create(&Outcome { outcome }).inc();
    }
}
