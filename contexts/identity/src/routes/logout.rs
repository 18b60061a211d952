//! `POST /v1/auth/logout`

use super::revoke_session::end;
use crate::{Identity, store::sessions};
use api::{Problem, Session};
use axum::{extract::State, http::StatusCode};

/// Sign out
///
/// Ends this session: its tokens are refused within a second, everywhere.
#[utoipa::path(
    post, path = "/v1/auth/logout", tag = "sign-in", operation_id = "logout",
    responses((status = 204, description = "Signed out")),
    security(("access_token" = [])),
)]
pub(crate) async fn logout(
    State(identity): State<Identity>,
    Session { caller }: Session,
) -> Result<StatusCode, Problem> {
    let tx = identity.app.db.person(caller.user).await?;
    let revoked = sessions::revoke_own(&tx, caller.session, identity.app.clock.now()).await?;
    end(&identity.app, &tx, &caller, revoked).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
