//! `GET /v1/webhooks/deliveries`

use super::{Delivery, DeliveryStatus};
use crate::{Webhooks, store::deliveries};
use api::{Can, Cursor, Limit, Page, Problem, ValidQuery, Validate, Violations};
use axum::extract::State;
use serde::Deserialize;
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
    let (status, limit) = (query.status.map(DeliveryStatus::as_str), query.limit.and_one());
    let db = state.app.db.read(caller.org).await?;
    let rows = deliveries::list(&db, caller.org, before, query.endpoint, status, limit).await?;
    Ok(Page::new(rows, query.limit, |row| cursor.encode(&row.id), Delivery::from))
}
