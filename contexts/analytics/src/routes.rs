//! The routes of this context.

mod calls;
mod change_analytics_source;
mod create_analytics_source;
mod delete_analytics_source;
mod delivery;
mod list_analytics_events;
mod list_analytics_sources;
mod query_analytics;

use crate::{Analytics, model::origin, store::sources::SourceRow};
use api::{App, Violations};
use axum::routing::post;
use serde::{Deserialize, Deserializer, Serialize};
use types::{SourceId, Timestamp};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The table of routes.
pub fn routes(app: App) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(
            list_analytics_sources::list_analytics_sources,
            create_analytics_source::create_analytics_source
        ))
        .routes(routes!(
            change_analytics_source::change_analytics_source,
            delete_analytics_source::delete_analytics_source
        ))
        .routes(routes!(list_analytics_events::list_analytics_events))
        .routes(routes!(query_analytics::query_analytics))
        .routes(routes!(calls::track))
        .routes(routes!(calls::identify))
        .routes(routes!(calls::page))
        .routes(routes!(calls::screen))
        .routes(routes!(calls::group))
        .routes(routes!(calls::alias))
        .routes(routes!(calls::batch))
        // What browsers use instead, because blockers know the others.
        .route("/v1/t", post(calls::track))
        .route("/v1/i", post(calls::identify))
        .route("/v1/p", post(calls::page))
        .route("/v1/s", post(calls::screen))
        .route("/v1/g", post(calls::group))
        .route("/v1/a", post(calls::alias))
        .route("/v1/b", post(calls::batch))
        .with_state(Analytics::new(app))
}

/// A program that sends events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnalyticsSource {
    id: SourceId,
    #[schema(example = "Website")]
    name: String,
    /// Public: it can only append events.
    #[schema(example = "eap_pk_4Zb7Qm2Xk9Lw3Rt8Vn5Pc6Ys1Dh0Jg4F_2kX9aB")]
    write_key: String,
    /// Pages that may send; empty: any.
    #[schema(example = json!(["https://example.com"]))]
    allowed_origins: Vec<String>,
    /// Whether its write key is taken.
    enabled: bool,
    version: i32,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<SourceRow> for AnalyticsSource {
    fn from(row: SourceRow) -> Self {
        let SourceRow { id, name, write_key, allowed_origins, enabled, version, created_at, updated_at } = row;
        Self { id, name, write_key, allowed_origins, enabled, version, created_at, updated_at }
    }
}

fn validate_name(name: &str, errors: &mut Violations) {
    errors.text("/name", name, 1..=100);
}

fn validate_origins(origins: &[String], errors: &mut Violations) {
    errors.require(origins.len() <= origin::MOST, "/allowed_origins", "length", "takes at most 50 origins");
    for (index, text) in origins.iter().enumerate() {
        let pointer = format!("/allowed_origins/{index}");
        errors.require(origin::is_origin(text), &pointer, "not_an_origin", "is no origin as in https://example.com");
    }
}

/// For members that are there or not, but never null.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
