//! `DELETE /v1/auth/sessions/{id}`

use crate::{
    Identity,
    store::{sessions, sessions::RevokedRow},
};
use api::{App, Caller, Code, PathId, Problem, Session, revocation};
use axum::{extract::State, http::StatusCode};
use db::{DbResult, PersonTx};
use events::{Event, Kind};
use types::{OrgId, SessionId};

/// End one of one's own sessions
#[utoipa::path(
    delete, path = "/v1/auth/sessions/{id}", tag = "sign-in", operation_id = "revoke_session",
    params(("id" = SessionId, Path, description = "The session")),
    responses((status = 204, description = "Ended")),
    security(("access_token" = [])),
)]
pub(crate) async fn revoke_session(
    State(identity): State<Identity>,
    Session { caller }: Session,
    PathId(id): PathId<SessionId>,
) -> Result<StatusCode, Problem> {
    let tx = identity.app.db.person(caller.user).await?;
    let revoked = sessions::revoke_own(&tx, id, identity.app.clock.now()).await?.ok_or(Code::NotFound)?;
    end(&identity.app, &tx, &caller, [revoked]).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tells every process, and the person's log, that sessions have ended.
pub(crate) async fn end(
    app: &App,
    tx: &PersonTx,
    caller: &Caller<Option<OrgId>>,
    revoked: impl IntoIterator<Item = RevokedRow>,
) -> DbResult<()> {
    for session in revoked {
        revocation::invalidate_session(tx, session.id.0, session.version).await?;
        let event = Event::new(Kind::SessionRevoked, &caller.actor(), &app.clock, &app.rng).user(caller.user);
        tx.emit(event.target(&session.id).request(Some(caller.request_id)).into());
    }
    Ok(())
}
