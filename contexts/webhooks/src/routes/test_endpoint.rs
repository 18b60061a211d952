//! `POST /v1/webhooks/endpoints/{id}/test`

use super::Delivery;
use crate::{Webhooks, actions::test_endpoint as action};
use api::{Can, PathId, Problem};
use axum::{Json, extract::State};
use types::{EndpointId, Permission, permission::ManageWebhooks};

/// Send a test message to an endpoint
///
/// A message of the type `endpoint.test`, whatever event types and channels the endpoint chose. The answer's delivery
/// says what becomes of it.
#[utoipa::path(
    post, path = "/v1/webhooks/endpoints/{id}/test", tag = "webhooks", operation_id = "test_endpoint",
    params(("id" = EndpointId, Path, description = "The endpoint")),
    responses((status = 200, body = Delivery, description = "On its way"), (status = 409, description = "`conflict`")),
    security(("access_token" = [ManageWebhooks::NAME.as_str()])),
)]
pub(crate) async fn test_endpoint(
    State(state): State<Webhooks>,
    Can { caller, .. }: Can<ManageWebhooks>,
    PathId(id): PathId<EndpointId>,
) -> Result<Json<Delivery>, Problem> {
    let tx = state.app.db.begin(caller.org).await?;
    let row = action::run(&state, &tx, &caller, id).await?;
    tx.commit().await?;
    state.due.notify_one();
    Ok(Json(row.into()))
}
