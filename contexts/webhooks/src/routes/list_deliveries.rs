//! `GET /v1/webhooks/deliveries`

use super::{Delivery, DeliveryStatus};
use crate::{
    Webhooks,
    store::deliveries::{self, DeliveryRow},
};
use api::{Can, Cursor, Limit, Page, Problem, ValidQuery, Validate, Violations};
use axum::extract::State;
use db::{DbResult, OrgRead};
use serde::Deserialize;
use std::cmp::Reverse;
use types::{DeliveryId, EndpointId, Permission, permission::ReadWebhooks};
use utoipa::IntoParams;
use uuid::Uuid;

/// Which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListDeliveriesQuery {
    /// Those to one endpoint
    endpoint: Option<EndpointId>,
    /// Those of one status
    #[param(inline)]
    status: Option<DeliveryStatus>,
    /// Deliveries a page
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// `next_cursor` of the page before
    cursor: Option<String>,
}

impl Validate for ListDeliveriesQuery {
    fn validate(&self, errors: &mut Violations) {
        self.limit.validate(errors);
    }
}

/// List webhook deliveries, newest first
///
/// They are kept for 30 days.
#[utoipa::path(
    get, path = "/v1/webhooks/deliveries", tag = "webhooks", operation_id = "list_deliveries",
    params(ListDeliveriesQuery),
    responses((status = 200, body = Page<Delivery>, description = "A page")),
    security(("access_token" = [ReadWebhooks::NAME.as_str()])),
)]
pub(crate) async fn list_deliveries(
    State(state): State<Webhooks>,
    Can { caller, .. }: Can<ReadWebhooks>,
    ValidQuery(query): ValidQuery<ListDeliveriesQuery>,
) -> Result<Page<Delivery>, Problem> {
    let cursor = Cursor::of("list_deliveries", &(query.endpoint, query.status));
    let before = cursor.decode(query.cursor.as_deref())?.unwrap_or(DeliveryId(Uuid::max()));
    let db = state.app.db.read(caller.org).await?;
    let rows = page(&db, &query, before).await?;
    Ok(Page::new(rows, query.limit, |row| cursor.encode(&row.id), Delivery::from))
}

/// Up to one row more than the page has, of what waits and of what is finished, merged.
async fn page(db: &OrgRead, query: &ListDeliveriesQuery, before: DeliveryId) -> DbResult<Vec<DeliveryRow>> {
    let (org, limit) = (db.org(), query.limit.and_one());
    // What waits is read first: a delivery that finishes in between is then found twice, and never missed.
    let mut rows = match (query.status, query.endpoint) {
        (None | Some(DeliveryStatus::Pending), None) => deliveries::waiting(db, org, before, limit).await?,
        (None | Some(DeliveryStatus::Pending), Some(endpoint)) => {
            deliveries::waiting_of(db, org, before, limit, endpoint).await?
        }
        _ => vec![],
    };
    let (any, good): (&[_], &[_]) = (&["delivered", "failed"], &["delivered"]);
    let finished = match (query.status, query.endpoint) {
        (Some(DeliveryStatus::Pending), _) => vec![],
        (None, None) => deliveries::finished(db, org, before, limit, any).await?,
        (None, Some(endpoint)) => deliveries::finished_of(db, org, before, limit, any, endpoint).await?,
        (Some(DeliveryStatus::Delivered), None) => deliveries::finished(db, org, before, limit, good).await?,
        (Some(DeliveryStatus::Delivered), Some(endpoint)) => {
            deliveries::finished_of(db, org, before, limit, good, endpoint).await?
        }
        (Some(DeliveryStatus::Failed), None) => deliveries::failed(db, org, before, limit).await?,
        (Some(DeliveryStatus::Failed), Some(endpoint)) => {
            deliveries::failed_of(db, org, before, limit, endpoint).await?
        }
    };
    rows.retain(|row| finished.iter().all(|other| other.id != row.id));
    rows.extend(finished);
    rows.sort_unstable_by_key(|row| Reverse(row.id));
    rows.truncate(usize::try_from(limit).unwrap_or_default());
    Ok(rows)
}
