//! The routes of this context.

mod create_endpoint;
mod delete_endpoint;
mod get_delivery;
mod get_endpoint;
mod list_deliveries;
mod list_endpoints;
mod list_event_types;
mod patch_endpoint;
mod retry_delivery;
mod rotate_endpoint_secret;
mod send_message;
mod test_endpoint;

use crate::{
    Webhooks,
    actions::Refusal,
    dispatch::webhook_id,
    model::{
        event_type::{is_channel, is_pattern},
        headers,
        schedule::CIRCUIT_OPENS_AFTER,
        secret::SigningSecret,
        target::{BadTarget, Route},
    },
    sealed::open_headers,
    store::{
        deliveries::DeliveryRow,
        endpoints::{self, EndpointRow},
    },
};
use api::{App, Code, Problem, Violations};
use db::OrgTx;
use serde::{Deserialize, Deserializer, Serialize};
use types::{DeliveryId, EndpointId, Timestamp};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The table of routes.
pub fn routes(webhooks: Webhooks) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_endpoints::list_endpoints, create_endpoint::create_endpoint))
        .routes(routes!(get_endpoint::get_endpoint, patch_endpoint::patch_endpoint, delete_endpoint::delete_endpoint))
        .routes(routes!(rotate_endpoint_secret::rotate_endpoint_secret))
        .routes(routes!(test_endpoint::test_endpoint))
        .routes(routes!(list_event_types::list_event_types))
        .routes(routes!(send_message::send_message))
        .routes(routes!(list_deliveries::list_deliveries))
        .routes(routes!(get_delivery::get_delivery))
        .routes(routes!(retry_delivery::retry_delivery))
        .with_state(webhooks)
}

/// Where an organization wants to be told what happened.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Endpoint {
    id: EndpointId,
    #[schema(example = "https://example.com/hooks")]
    url: String,
    /// Event types, `resource.*` for all that begin so, `*` or none for all.
    #[schema(example = json!(["resource.*", "invoice.paid"]))]
    event_types: Vec<String>,
    /// Only messages that share a channel; none: whatever the channels.
    #[schema(example = json!([]))]
    channels: Vec<String>,
    #[schema(example = "Accounting")]
    description: Option<String>,
    /// Names of the headers that every delivery carries. Their values are never shown.
    #[schema(example = json!(["authorization"]))]
    header_names: Vec<String>,
    /// Deliveries a second at most; null: no limit.
    #[schema(example = 50)]
    rate_limit_per_second: Option<i32>,
    /// Deliveries at the same time at most.
    #[schema(example = 10)]
    max_concurrency: i32,
    enabled: bool,
    /// Why the platform disabled it: `gone` (it answered 410) or `failing` (for 5 days).
    #[schema(example = json!(null))]
    disabled_reason: Option<String>,
    /// Of the circuit breaker: `closed`; `open` while nothing is sent after failures in a row; `half_open` while one
    /// delivery at a time tries whether it is back.
    #[schema(example = "closed")]
    circuit: &'static str,
    /// Since when every delivery has failed.
    failing_since: Option<Timestamp>,
    version: i32,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// An endpoint with its signing secret, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EndpointWithSecret {
    #[serde(flatten)]
    endpoint: Endpoint,
    /// Of the signatures: Standard Webhooks, HMAC-SHA-256.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
}

impl EndpointWithSecret {
    fn new(endpoint: Endpoint, secret: &SigningSecret) -> Self {
        Self { endpoint, secret: secret.reveal() }
    }
}

impl Endpoint {
    fn new(app: &App, row: EndpointRow) -> Result<Self, Problem> {
        let headers = open_headers(app, row.id, row.sealed_headers.as_deref()).map_err(Problem::internal)?;
        let circuit = match row.paused_until {
            _ if row.failures < CIRCUIT_OPENS_AFTER => "closed",
            Some(until) if until > app.clock.now() => "open",
            _ => "half_open",
        };
        Ok(Self {
            id: row.id,
            url: row.url,
            event_types: row.event_types,
            channels: row.channels,
            description: row.description,
            header_names: headers.into_keys().collect(),
            rate_limit_per_second: row.rate_limit,
            max_concurrency: row.max_concurrency,
            enabled: row.enabled,
            disabled_reason: row.disabled_reason,
            circuit,
            failing_since: row.failing_since,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeliveryStatus {
    /// Waits for its first or its next attempt.
    Pending,
    /// Answered with 2xx.
    Delivered,
    /// Not, by its last attempt.
    Failed,
}

/// A message on its way to an endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Delivery {
    id: DeliveryId,
    endpoint_id: EndpointId,
    /// The header `webhook-id`, the same at each attempt and for each endpoint.
    #[schema(example = "msg_01jhs3n5c8fq7t2v9w4x6y8zab")]
    webhook_id: String,
    /// The event type; null when the message has been erased.
    #[serde(rename = "type")]
    #[schema(example = "invoice.paid")]
    of: Option<String>,
    /// `pending`, `delivered` or `failed`.
    #[schema(example = "delivered")]
    status: String,
    /// Attempts that ended.
    attempt_count: i32,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
    next_attempt_at: Option<Timestamp>,
}

impl From<DeliveryRow> for Delivery {
    fn from(row: DeliveryRow) -> Self {
        Self {
            id: row.id,
            endpoint_id: row.endpoint_id,
            webhook_id: webhook_id(row.message_id.0, row.of_event.unwrap_or_default()),
            of: row.of,
            status: row.status,
            attempt_count: row.attempts,
            created_at: row.created_at,
            finished_at: row.finished_at,
            next_attempt_at: row.next_attempt_at,
        }
    }
}

/// A member that may be absent but not null: a merge patch cannot remove it.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// What holds for the members of an endpoint, whether it is made or changed.
fn validate_filters(errors: &mut Violations, event_types: &[String], channels: &[String]) {
    validate_list(errors, "/event_types", event_types, is_pattern, "is no event type, nor `*`, nor as in `resource.*`");
    validate_channels(errors, channels);
}

fn validate_channels(errors: &mut Violations, channels: &[String]) {
    let detail = "must have 1 to 128 of the characters A-Z a-z 0-9 _ - . :";
    validate_list(errors, "/channels", channels, is_channel, detail);
}

fn validate_list(errors: &mut Violations, pointer: &str, list: &[String], is: fn(&str) -> bool, detail: &str) {
    errors.require(list.len() <= 64, pointer, "length", "must have at most 64 items");
    for (index, item) in list.iter().enumerate() {
        errors.require(is(item), &format!("{pointer}/{index}"), "pattern", detail);
    }
}

fn validate_speed(errors: &mut Violations, rate_limit: Option<i32>, max_concurrency: Option<i32>) {
    let rate = rate_limit.is_none_or(|rate| (1..=10_000).contains(&rate));
    errors.require(rate, "/rate_limit_per_second", "range", "must be from 1 to 10000");
    let concurrency = max_concurrency.is_none_or(|most| (1..=100).contains(&most));
    errors.require(concurrency, "/max_concurrency", "range", "must be from 1 to 100");
}

fn validate_headers<'a>(
    errors: &mut Violations,
    given: impl ExactSizeIterator<Item = (&'a String, Option<&'a String>)>,
) {
    errors.require(headers::fit(given.len()), "/headers", "length", "must have at most 16 members");
    for (name, value) in given {
        if let Some(fault) = headers::fault(name, value.map(String::as_str)) {
            let pointer = format!("/headers/{}", name.replace('~', "~0").replace('/', "~1"));
            errors.add(&pointer, "header", fault);
        }
    }
}

/// What the process's rules say to an URL, which no request type knows.
async fn check_url(webhooks: &Webhooks, tx: &OrgTx, url: &str) -> Result<(), Problem> {
    let refused = |fault: BadTarget| Problem::value("/url", "url", &fault.to_string());
    let (_, route) = webhooks.rules.check(url).map_err(refused)?;
    if route == Route::Smoke && endpoints::synthetic(tx).await?.is_none() {
        return Err(refused(BadTarget::Plain));
    }
    Ok(())
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound => Self::new(Code::NotFound),
            Refusal::OtherVersion => Self::new(Code::PreconditionFailed),
            Refusal::Disabled => Self::new(Code::Conflict).detail("the endpoint is disabled; enable it first"),
            Refusal::MessageGone => Self::new(Code::Conflict).detail("the message has been erased, after 30 days"),
            Refusal::TooManyEndpoints => Self::new(Code::Conflict).detail("an organization has at most 200 endpoints"),
            Refusal::TooManyHeaders => {
                Self::value("/headers", "length", "must have at most 16 members with those that stay")
            }
            Refusal::Secret(error) => Self::internal(error),
            Refusal::Database(error) => error.into(),
        }
    }
}
