//! What every way of signing in ends with: a session, its tokens, and what the client needs to know.

use crate::{Identity, KeyError, SigningKeys, model::token::RefreshToken, store::sessions};
use api::{Claims, Client, Problem};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use db::{DbResult, SystemTx};
use events::{Actor, Event, Kind};
use orgs::Membership;
use serde_json::json;
use std::time::Duration;
use types::{SessionId, Timestamp, UserId};

/// An access token lives this long.
pub(crate) const ACCESS: Duration = Duration::from_mins(10);
/// A session ends after this, however often it is refreshed.
const SESSION: Duration = Duration::from_hours(30 * 24);

/// Tokens, and for whom they are.
pub(crate) struct SignedIn {
    pub(crate) user: UserId,
    pub(crate) membership: Option<Membership>,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

/// A session at a moment: what its access token says.
pub(crate) struct Moment {
    pub(crate) session: SessionId,
    pub(crate) user: UserId,
    pub(crate) version: i32,
    pub(crate) auth_time: Timestamp,
}

/// Starts a session of a person who has just proven who they are.
pub(crate) async fn start(
    identity: &Identity,
    tx: &SystemTx,
    user: UserId,
    membership: Option<Membership>,
    client: &Client,
) -> Result<SignedIn, Problem> {
    let (app, key) = (&identity.app, &identity.app.secrets);
    let now = app.clock.now();
    let session = SessionId::new(&app.rng, now);
    let refresh_token = RefreshToken::first(key, &app.rng, session);
    let org = membership.as_ref().map(|membership| membership.org_id);
    let (digest, agent) = (refresh_token.digest(key), client.user_agent.as_deref());
    sessions::insert(tx, session, user, org, &digest, agent, &client.address.to_string(), now, now.plus(SESSION))
        .await?;
    seen(tx, user, membership.as_ref(), now).await?;
    let event = Event::new(Kind::SessionCreated, &Actor::user(user), &app.clock, &app.rng).user(user).target(&session);
    let event = event.request(Some(client.request_id)).data(json!({ "method": "password" }));
    let event = event.personal(json!({ "address": client.address, "user_agent": agent }));
    tx.emit(event.org(org).into());
    let moment = Moment { session, user, version: 1, auth_time: now };
    let access_token = access_token(identity, &moment, membership.as_ref())?;
    Ok(SignedIn { user, membership, access_token, refresh_token: refresh_token.to_string() })
}

/// The organization used last is the one a later sign-in gets.
pub(crate) async fn seen(tx: &SystemTx, user: UserId, membership: Option<&Membership>, now: Timestamp) -> DbResult<()> {
    match membership {
        Some(membership) => orgs::touch(tx, user, membership.org_id, now).await,
        None => Ok(()),
    }
}

/// An access token of a session (RFC 9068).
pub(crate) fn access_token(
    identity: &Identity,
    moment: &Moment,
    membership: Option<&Membership>,
) -> Result<String, KeyError> {
    let now = identity.app.clock.now();
    identity.keys.sign(&Claims {
        iss: identity.keys.issuer().to_owned(),
        aud: SigningKeys::audience().to_owned(),
        sub: moment.user,
        sid: moment.session,
        client_id: "first-party".to_owned(),
        org: membership.map(|membership| membership.org_id),
        role: membership.map(|membership| membership.role.clone()),
        session_version: moment.version,
        membership_version: membership.map_or(0, |membership| membership.version),
        auth_time: moment.auth_time.as_secs(),
        amr: vec!["pwd".to_owned()],
        acr: "1".to_owned(),
        act: None,
        iat: now.as_secs(),
        exp: now.plus(ACCESS).as_secs(),
        jti: URL_SAFE_NO_PAD.encode(identity.app.rng.bytes::<16>()),
    })
}
