//! `GET /v1/webhooks/deliveries/{id}`

use super::Delivery;
use crate::{
    Webhooks,
    sealed::open_headers,
    store::{
        attempts::{self, AttemptRow},
        deliveries, endpoints,
    },
};
use api::{Can, Code, PathId, Problem};
use axum::{Json, extract::State};
use serde::Serialize;
use std::collections::BTreeMap;
use types::{DeliveryId, Permission, Timestamp, permission::ReadWebhooks};
use utoipa::ToSchema;

/// A delivery with every request that was made for it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryDetails {
    #[serde(flatten)]
    delivery: Delivery,
    /// In order.
    attempts: Vec<Attempt>,
}

/// A request to an endpoint and what came back.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Attempt {
    #[schema(example = 1)]
    number: i32,
    at: Timestamp,
    #[schema(example = 42)]
    duration_ms: i32,
    /// Without the values that are secrets: signatures and the endpoint's own headers.
    #[schema(example = json!({"webhook-id": "msg_01jhs3n5c8fq7t2v9w4x6y8zab", "authorization": "(hidden)"}))]
    request_headers: BTreeMap<String, String>,
    /// Null: there was no response.
    #[schema(example = 200)]
    status_code: Option<i32>,
    /// Null: it was delivered. Else `status` (not 2xx), `timeout` (not finished in 15 seconds), `connect`, `dns`,
    /// `broken`, `not_allowed` (an address that is not public), `certificate_untrusted`, `certificate_expired`,
    /// `certificate_of_another_host` (nothing was sent) or `internal` (a fault of the platform's).
    #[schema(example = json!(null))]
    error: Option<String>,
    /// The first 16 kB of the response.
    #[schema(example = "ok")]
    response: Option<String>,
    /// Of the endpoint's circuit breaker at that moment: `closed`, or `half_open` when this was a try whether it is back.
    #[schema(example = "closed")]
    circuit: String,
}

impl Attempt {
    fn new(row: AttemptRow, webhook_id: &str, own: &[String]) -> Self {
        let AttemptRow { number, at, duration_ms, status_code, error, response, circuit } = row;
        let ours = [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", webhook_id.to_owned()),
            ("webhook-timestamp", at.as_secs().to_string()),
            ("webhook-signature", "(hidden)".to_owned()),
        ];
        let ours = ours.into_iter().map(|(name, value)| (name.to_owned(), value));
        let own = own.iter().map(|name| (name.clone(), "(hidden)".to_owned()));
        Self {
            number,
            at,
            duration_ms,
            request_headers: own.chain(ours).collect(),
            status_code,
            error,
            response,
            circuit,
        }
    }
}

/// Read a webhook delivery and its attempts
#[utoipa::path(
    get, path = "/v1/webhooks/deliveries/{id}", tag = "webhooks", operation_id = "get_delivery",
    params(("id" = DeliveryId, Path, description = "The delivery")),
    responses((status = 200, body = DeliveryDetails, description = "The delivery")),
    security(("access_token" = [ReadWebhooks::NAME.as_str()])),
)]
pub(crate) async fn get_delivery(
    State(state): State<Webhooks>,
    Can { caller, .. }: Can<ReadWebhooks>,
    PathId(id): PathId<DeliveryId>,
) -> Result<Json<DeliveryDetails>, Problem> {
    let db = state.app.db.read(caller.org).await?;
    let row = deliveries::by_id(&db, caller.org, id).await?.ok_or(Code::NotFound)?;
    let endpoint = endpoints::by_id(&db, caller.org, row.endpoint_id).await?;
    let own = match endpoint {
        Some(endpoint) => open_headers(&state.app, endpoint.id, endpoint.sealed_headers.as_deref()),
        None => Ok(BTreeMap::new()),
    };
    let own: Vec<_> = own.map_err(Problem::internal)?.into_keys().collect();
    let rows = attempts::of_delivery(&db, caller.org, id).await?;
    let delivery = Delivery::from(row);
    let attempts = rows.into_iter().map(|row| Attempt::new(row, &delivery.webhook_id, &own)).collect();
    Ok(Json(DeliveryDetails { delivery, attempts }))
}
