//! The four health endpoints, open to anybody who reaches the port.

use super::{Condition, Health};
use axum::{Json, extract::State, response::IntoResponse};
use http::StatusCode;
use serde::Serialize;
use std::{sync::PoisonError, time::Instant};
use types::Timestamp;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes, each with its description.
pub fn routes(health: Health) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(health_live))
        .routes(routes!(health_ready))
        .routes(routes!(health_full))
        .routes(routes!(health_public))
        .with_state(health)
}

/// That the process runs.
#[derive(Serialize, utoipa::ToSchema)]
struct LiveResponse {
    #[schema(example = "ok")]
    status: &'static str,
    timestamp: Timestamp,
}

/// Whether traffic may come.
#[derive(Serialize, utoipa::ToSchema)]
struct ReadyResponse {
    /// `ready` or `not_ready`.
    #[schema(example = "ready")]
    status: &'static str,
    checks: Dependencies,
    /// Why not, when the dependencies are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A word for each dependency; only the database must be there.
#[derive(Serialize, utoipa::ToSchema)]
struct Dependencies {
    #[schema(example = "connected")]
    database: &'static str,
    #[schema(example = "disabled")]
    redis: &'static str,
    #[schema(example = "disabled")]
    elasticsearch: &'static str,
}

/// How the process is.
#[derive(Serialize, utoipa::ToSchema)]
struct HealthResponse {
    /// `healthy`, `degraded` or `unhealthy`.
    #[schema(example = "healthy")]
    status: &'static str,
    #[schema(example = "1.2.3")]
    version: String,
    /// In seconds.
    #[schema(example = 3600)]
    uptime: u64,
    services: Services,
    metrics: ProcessMetrics,
}

/// How the platform is, in words.
#[derive(Serialize, utoipa::ToSchema)]
struct PublicHealthResponse {
    /// `healthy`, `degraded` or `unhealthy`.
    #[schema(example = "healthy")]
    status: &'static str,
    #[schema(example = "1.2.3")]
    version: String,
    timestamp: Timestamp,
    services: Dependencies,
}

/// What the platform depends on; only the database must be there.
#[derive(Serialize, utoipa::ToSchema)]
struct Services {
    database: ServiceHealth,
    redis: ServiceHealth,
    elasticsearch: ServiceHealth,
}

/// How a dependency is.
#[derive(Serialize, utoipa::ToSchema)]
struct ServiceHealth {
    /// `healthy`, `unhealthy` or `disabled`.
    #[schema(example = "healthy")]
    status: &'static str,
    /// Of the last check, in milliseconds; null when it did not answer.
    #[schema(example = 5)]
    latency: Option<u64>,
}

/// What the process uses.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct ProcessMetrics {
    /// In MiB.
    #[schema(example = 48)]
    memory_usage: usize,
    /// In percent of one core.
    #[schema(example = 3)]
    cpu_usage: u64,
}

/// Whether the process runs
///
/// Looks at nothing else: a dependency that is away is no reason to restart.
#[utoipa::path(get, path = "/health/live", operation_id = "health_live", tag = "health",
    responses((status = 200, description = "It runs", body = LiveResponse)))]
async fn health_live(State(health): State<Health>) -> Json<LiveResponse> {
    Json(LiveResponse { status: "ok", timestamp: health.0.clock.now() })
}

/// Whether traffic may come
#[utoipa::path(get, path = "/health/ready", operation_id = "health_ready", tag = "health",
    responses(
        (status = 200, description = "Ready", body = ReadyResponse),
        (status = 503, description = "Not ready: the database is away, the schema too old, or the process stops", body = ReadyResponse)))]
async fn health_ready(State(health): State<Health>) -> impl IntoResponse {
    let ready = health.is_ready();
    let state = health.0.state.read().unwrap_or_else(PoisonError::into_inner);
    let checks = Dependencies {
        database: if state.database.latency.is_some() { "connected" } else { "disconnected" },
        redis: "disabled",
        elasticsearch: "disabled",
    };
    let status = if ready { "ready" } else { "not_ready" };
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(ReadyResponse { status, checks, reason: state.held.clone() }))
}

/// How the process is, with figures
#[utoipa::path(get, path = "/health", operation_id = "health_full", tag = "health",
    responses(
        (status = 200, description = "Healthy or degraded", body = HealthResponse),
        (status = 503, description = "Unhealthy", body = HealthResponse)))]
async fn health_full(State(health): State<Health>) -> impl IntoResponse {
    let state = health.0.state.read().unwrap_or_else(PoisonError::into_inner);
    let condition = state.database.condition(Instant::now());
    let latency = state.database.latency.map(|latency| u64::try_from(latency.as_millis()).unwrap_or(u64::MAX));
    let off = || ServiceHealth { status: "disabled", latency: None };
    let body = HealthResponse {
        status: condition.word(),
        version: health.0.version.clone(),
        uptime: health.0.started.elapsed().as_secs(),
        services: Services {
            database: ServiceHealth { status: word(latency.is_some()), latency },
            redis: off(),
            elasticsearch: off(),
        },
        metrics: ProcessMetrics { memory_usage: state.usage.memory_mib, cpu_usage: state.usage.cpu_percent },
    };
    (condition.status(), Json(body))
}

/// How the platform is, in words
#[utoipa::path(get, path = "/v1/health", operation_id = "health_public", tag = "health",
    responses(
        (status = 200, description = "Healthy or degraded", body = PublicHealthResponse),
        (status = 503, description = "Unhealthy", body = PublicHealthResponse)))]
async fn health_public(State(health): State<Health>) -> impl IntoResponse {
    let state = health.0.state.read().unwrap_or_else(PoisonError::into_inner);
    let condition = state.database.condition(Instant::now());
    let body = PublicHealthResponse {
        status: condition.word(),
        version: health.0.version.clone(),
        timestamp: health.0.clock.now(),
        services: Dependencies {
            database: word(state.database.latency.is_some()),
            redis: "disabled",
            elasticsearch: "disabled",
        },
    };
    (condition.status(), Json(body))
}

fn word(answers: bool) -> &'static str {
    if answers { "healthy" } else { "unhealthy" }
}

impl Condition {
    fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Healthy | Self::Degraded => StatusCode::OK,
            Self::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
