//! `POST /v1/webhooks/deliveries/{id}/retry`

use super::Delivery;
use crate::{Webhooks, actions::retry_delivery as action};
use api::{Can, PathId, Problem};
use axum::{Json, extract::State};
use types::{DeliveryId, Permission, permission::SendWebhooks};

/// Try a delivery again now
///
/// One that waits is due at once. A finished one is repeated by another delivery, under the same `webhook-id`.
#[utoipa::path(
    post, path = "/v1/webhooks/deliveries/{id}/retry", tag = "webhooks", operation_id = "retry_delivery",
    params(("id" = DeliveryId, Path, description = "The delivery")),
    responses((status = 200, body = Delivery, description = "On its way"), (status = 409, description = "`conflict`")),
    security(("access_token" = [SendWebhooks::NAME.as_str()])),
)]
pub(crate) async fn retry_delivery(
    State(state): State<Webhooks>,
    Can { caller, .. }: Can<SendWebhooks>,
    PathId(id): PathId<DeliveryId>,
) -> Result<Json<Delivery>, Problem> {
    let tx = state.app.db.begin(caller.org).await?;
    let row = action::run(&state, &tx, &caller, id).await?;
    tx.commit().await?;
    state.due.notify_one();
    Ok(Json(row.into()))
}
