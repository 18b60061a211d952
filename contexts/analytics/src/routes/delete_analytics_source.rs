//! `DELETE /v1/analytics/sources/{id}`

use crate::{Analytics, actions::delete_source};
use api::{Can, Code, PathId, Problem};
use axum::{extract::State, http::StatusCode};
use types::{Permission, SourceId, permission::ManageAnalytics};

/// Delete a source of analytics events
///
/// Its write key is refused within a second; its events stay.
#[utoipa::path(
    delete, path = "/v1/analytics/sources/{id}", tag = "analytics", operation_id = "delete_analytics_source",
    params(("id" = SourceId, Path, description = "The source")),
    responses((status = 204, description = "Gone")),
    security(("access_token" = [ManageAnalytics::NAME.as_str()])),
)]
pub(crate) async fn delete_analytics_source(
    State(state): State<Analytics>,
    Can { caller, .. }: Can<ManageAnalytics>,
    PathId(id): PathId<SourceId>,
) -> Result<StatusCode, Problem> {
    let tx = state.app.db.begin(caller.org).await?;
    if !delete_source::run(&state, &tx, &caller, id).await? {
        return Err(Code::NotFound.into());
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
