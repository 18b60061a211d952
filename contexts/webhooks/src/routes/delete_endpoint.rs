//! `DELETE /v1/webhooks/endpoints/{id}`

use crate::{Webhooks, store::endpoints};
use api::{Can, Code, IfMatch, PathId, Problem};
use axum::{extract::State, http::StatusCode};
use events::Kind;
use types::{EndpointId, Permission, permission::ManageWebhooks};

/// Delete a webhook endpoint
///
/// What waits to be delivered to it is not delivered any more.
#[utoipa::path(
    delete, path = "/v1/webhooks/endpoints/{id}", tag = "webhooks", operation_id = "delete_endpoint",
    params(("id" = EndpointId, Path, description = "The endpoint"), IfMatch),
    responses((status = 204, description = "Gone"), (status = 412, description = "`precondition_failed`")),
    security(("access_token" = [ManageWebhooks::NAME.as_str()])),
)]
pub(crate) async fn delete_endpoint(
    State(state): State<Webhooks>,
    Can { caller, .. }: Can<ManageWebhooks>,
    PathId(id): PathId<EndpointId>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let tx = state.app.db.begin(caller.org).await?;
    let row = endpoints::lock(&tx, caller.org, id).await?.ok_or(Code::NotFound)?;
    if_match.check(row.version.into())?;
    endpoints::delete(&tx, caller.org, id, state.app.clock.now()).await?;
    tx.emit(caller.event(Kind::EndpointDeleted, &state.app).target(&id).into());
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
