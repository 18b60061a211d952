//! `DELETE /v1/auth/sessions`

use super::revoke_session::end;
use crate::{Identity, store::sessions};
use api::{Problem, Session};
use axum::{extract::State, http::StatusCode};

/// End all of one's own sessions but this one
#[utoipa::path(
    delete, path = "/v1/auth/sessions", tag = "sign-in", operation_id = "revoke_other_sessions",
    responses((status = 204, description = "Ended")),
    security(("access_token" = [])),
)]
pub(crate) async fn revoke_other_sessions(
    State(identity): State<Identity>,
    Session { caller }: Session,
) -> Result<StatusCode, Problem> {
    let tx = identity.app.db.person(caller.user).await?;
    let revoked = sessions::revoke_others(&tx, caller.session, identity.app.clock.now()).await?;
    end(&identity.app, &tx, &caller, revoked).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
