//! `GET /v1/webhooks/endpoints/{id}`

use super::Endpoint;
use crate::{Webhooks, store::endpoints};
use api::{Can, Code, PathId, Problem, WithEtag};
use axum::extract::State;
use types::{EndpointId, Permission, permission::ReadWebhooks};

/// Read a webhook endpoint
#[utoipa::path(
    get, path = "/v1/webhooks/endpoints/{id}", tag = "webhooks", operation_id = "get_endpoint",
    params(("id" = EndpointId, Path, description = "The endpoint")),
    responses((status = 200, body = Endpoint, description = "The endpoint")),
    security(("access_token" = [ReadWebhooks::NAME.as_str()])),
)]
pub(crate) async fn get_endpoint(
    State(state): State<Webhooks>,
    Can { caller, .. }: Can<ReadWebhooks>,
    PathId(id): PathId<EndpointId>,
) -> Result<WithEtag<Endpoint>, Problem> {
    let db = state.app.db.read(caller.org).await?;
    let row = endpoints::by_id(&db, caller.org, id).await?.ok_or(Code::NotFound)?;
    Ok(WithEtag { etag: row.version.into(), body: Endpoint::new(&state.app, row)? })
}
