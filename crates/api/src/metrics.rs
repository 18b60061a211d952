//! What is counted, in Prometheus' text form on a port of its own. No organization, person or key is ever a label.

use db::Db;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Metric, Registry, Unit},
};
use std::sync::{Arc, Mutex, PoisonError};

/// The bounds that OpenTelemetry advises for `http.server.request.duration`, in seconds.
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// The registry and the metrics of every request. A clone is the same.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Mutex<Registry>,
    requests: Family<RequestLabels, Histogram>,
    active: Gauge,
    limited: Family<ScopeLabel, Counter>,
    dependencies: Family<DependencyLabel, Gauge>,
    connections: Gauge,
    most_connections: Gauge,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    pub(crate) http_request_method: &'static str,
    pub(crate) http_route: String,
    pub(crate) http_response_status_code: u16,
    /// The problem's code; empty for a success.
    pub(crate) error_type: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ScopeLabel {
    scope: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DependencyLabel {
    dependency: &'static str,
}

impl Metrics {
    /// A registry that knows the platform's version.
    pub fn new(version: &str) -> Self {
        let requests = Family::new_with_constructor((|| Histogram::new(BOUNDS)) as fn() -> Histogram);
        let inner = Inner {
            registry: Mutex::default(),
            requests,
            active: Gauge::default(),
            limited: Family::default(),
            dependencies: Family::default(),
            connections: Gauge::default(),
            most_connections: Gauge::default(),
        };
        inner.register(version);
        Self(Arc::new(inner))
    }

    /// Adds a metric of a context.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.0.registry.lock().unwrap_or_else(PoisonError::into_inner).register(name, help, metric);
    }

    /// The body of `/metrics`, in the OpenMetrics text form.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let registry = self.0.registry.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = encode(&mut text, &registry) {
            tracing::error!(error = &error as &dyn std::error::Error, "metrics cannot be written");
        }
        text
    }

    pub(crate) fn begin(&self) -> Active<'_> {
        self.0.active.inc();
        Active(&self.0.active)
    }

    pub(crate) fn observe(&self, labels: &RequestLabels, seconds: f64) {
        self.0.requests.get_or_create(labels).observe(seconds);
    }

    pub(crate) fn limited(&self, scope: &'static str) {
        self.0.limited.get_or_create(&ScopeLabel { scope }).inc();
    }

    pub(crate) fn dependency(&self, dependency: &'static str, up: bool) {
        self.0.dependencies.get_or_create(&DependencyLabel { dependency }).set(i64::from(up));
    }

    pub(crate) fn pool(&self, db: &Db) {
        let (open, most) = db.connections();
        let count = |number| i64::try_from(number).unwrap_or(i64::MAX);
        self.0.connections.set(count(open));
        self.0.most_connections.set(count(most));
    }
}

impl Inner {
    fn register(&self, version: &str) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register_with_unit(
            "http_server_request_duration",
            "How long requests took",
            Unit::Seconds,
            self.requests.clone(),
        );
        registry.register("http_server_active_requests", "Requests being answered", self.active.clone());
        registry.register("db_client_connection_count", "Connections of the pool", self.connections.clone());
        registry.register("db_client_connection_max", "The pool's size", self.most_connections.clone());
        let own = registry.sub_registry_with_prefix("platform");
        own.register("rate_limited", "Requests refused by a limit", self.limited.clone());
        own.register("dependency_up", "Whether a dependency answers", self.dependencies.clone());
        own.register("build", "The running version", Info::new([("version", version.to_owned())]));
    }
}

/// A request being answered, counted until dropped: also when its client went away.
pub(crate) struct Active<'a>(&'a Gauge);

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The router of the metrics port.
pub fn router(metrics: Metrics) -> axum::Router {
    const FORM: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let page = move || std::future::ready(([(http::header::CONTENT_TYPE, FORM)], metrics.text()));
    axum::Router::new().route("/metrics", axum::routing::get(page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_conventions() {
        let metrics = Metrics::new("1.2.3");
        let labels = RequestLabels {
            http_request_method: "GET",
            http_route: "/v1/users".into(),
            http_response_status_code: 200,
            error_type: "",
        };
        metrics.observe(&labels, 0.01);
        metrics.limited("address");
        metrics.dependency("database", true);
        let text = metrics.text();
        for line in [
            "http_server_request_duration_seconds_bucket{le=\"0.25\",http_request_method=\"GET\",http_route=\"/v1/users\"",
            "http_server_active_requests 0",
            "platform_rate_limited_total{scope=\"address\"} 1",
            "platform_dependency_up{dependency=\"database\"} 1",
            "platform_build_info{version=\"1.2.3\"} 1",
            "db_client_connection_max 0",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
