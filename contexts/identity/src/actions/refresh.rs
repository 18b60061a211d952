//! Rotating refresh tokens: a retry gets the same child, reuse ends the session.

use super::{
    login,
    sign_in::{self, Moment, SignedIn},
};
use crate::{Identity, model::token::RefreshToken, store::sessions, store::sessions::SessionRow};
use api::{Client, Code, Problem, revocation};
use db::{DbResult, SystemTx};
use events::{Actor, Event, Kind};
use orgs::Membership;
use std::time::Duration;
use types::{OrgId, Timestamp};

/// So long a token that was exchanged still gets its child, although that one was used already: another tab was slow.
const GRACE: Duration = Duration::from_secs(30);

/// What a presented token is to its session.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// The current one.
    Current,
    /// The one before; its child has not been used.
    Previous,
    /// The one before that, a moment ago.
    Ancestor,
    /// One that was used long ago.
    Reused,
}

/// A new pair of tokens, or the end of the session. The caller commits in either case.
pub(crate) async fn run(
    identity: &Identity,
    tx: &SystemTx,
    token: &RefreshToken,
    org: Option<OrgId>,
    client: &Client,
) -> Result<Result<SignedIn, Problem>, Problem> {
    let (app, key) = (&identity.app, &identity.app.secrets);
    let now = app.clock.now();
    let Some(session) = sessions::live(tx, token.session, now).await? else { return Err(Code::SessionEnded.into()) };
    let standing = standing(identity, token, &session, now);
    let child = match standing {
        Standing::Current => token.child(key, key.current(), session.generation + 1),
        Standing::Previous => token.child(key, version(Some(&session.refresh_digest)), session.generation),
        Standing::Ancestor => parent(identity, token, &session),
        Standing::Reused => {
            end(identity, tx, &session, client).await?;
            return Ok(Err(Code::SessionEnded.into()));
        }
    };
    let membership = match org {
        Some(wanted) => login::membership(tx, session.user_id, Some(wanted)).await?,
        None => remembered(tx, &session).await?,
    };
    let to = membership.as_ref().map(|membership| membership.org_id);
    if standing == Standing::Current {
        sessions::rotate(tx, session.id, &child.digest(key), to, now).await?;
        sign_in::seen(tx, session.user_id, membership.as_ref(), now).await?;
    }
    let moment =
        Moment { session: session.id, user: session.user_id, version: session.version, auth_time: session.auth_time };
    let access_token = sign_in::access_token(identity, &moment, membership.as_ref())?;
    Ok(Ok(SignedIn { user: session.user_id, membership, access_token, refresh_token: child.to_string() }))
}

fn standing(identity: &Identity, token: &RefreshToken, session: &SessionRow, now: Timestamp) -> Standing {
    let key = &identity.app.secrets;
    let previous = session.previous_digest.as_deref();
    if token.matches(key, Some(&session.refresh_digest)) {
        Standing::Current
    } else if token.matches(key, previous) {
        Standing::Previous
    } else if now.since(session.rotated_at) <= GRACE && parent(identity, token, session).matches(key, previous) {
        Standing::Ancestor
    } else {
        Standing::Reused
    }
}

/// The child of a token that would be the one before the current.
fn parent(identity: &Identity, token: &RefreshToken, session: &SessionRow) -> RefreshToken {
    token.child(&identity.app.secrets, version(session.previous_digest.as_deref()), session.generation - 1)
}

/// The version of the master key that made the token of a digest.
fn version(digest: Option<&[u8]>) -> u8 {
    digest.and_then(<[u8]>::first).copied().unwrap_or_default()
}

/// The session's organization; the one used last, where that is gone or shut to the person.
async fn remembered(tx: &SystemTx, session: &SessionRow) -> DbResult<Option<Membership>> {
    if let Some(org) = session.org_id
        && let Some(membership) = orgs::of_user(tx, session.user_id, org).await?
    {
        return Ok(Some(membership));
    }
    orgs::used_last(tx, session.user_id).await
}

async fn end(identity: &Identity, tx: &SystemTx, session: &SessionRow, client: &Client) -> DbResult<()> {
    let app = &identity.app;
    if let Some(revoked) = sessions::revoke(tx, session.id, app.clock.now()).await? {
        revocation::invalidate_session(tx, session.id.0, revoked.version).await?;
    }
    let event = Event::new(Kind::SessionReuseDetected, &Actor::ANONYMOUS, &app.clock, &app.rng).user(session.user_id);
    let personal = serde_json::json!({ "address": client.address, "user_agent": client.user_agent });
    tx.emit(event.target(&session.id).request(Some(client.request_id)).personal(personal).into());
    Ok(())
}
