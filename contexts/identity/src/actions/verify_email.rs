//! An address is proven: account, organization and session come to be in one transaction.

use super::sign_in::{self, SignedIn};
use crate::{
    Identity,
    store::{credentials, pending_registrations, pending_registrations::PendingRow, users},
};
use api::{Client, Code, Problem};
use db::{Constraints, SystemTx, Work};
use events::{Actor, Event, Kind};
use orgs::{Founder, Membership};
use serde_json::json;
use types::{Role, UserId, Uuid};

/// What the link of a mail says: which registration, and the proof.
pub(crate) type Token = (Uuid, Vec<u8>);

/// Whether the password is the one that the token's registration was made with. Somebody who registered another's
/// address gains nothing: the mail went there, and whoever opens it does not know the password.
pub(crate) async fn prove(identity: &Identity, token: &Token, password: String) -> Result<(), Problem> {
    let tx = identity.app.db.system(Work::Registration).await?;
    let pending = pending(identity, &tx, token).await?;
    // Hashing is slow: not with a connection in hand and a row locked.
    tx.commit().await?;
    let right = identity.hasher.verify(password, pending.map(|pending| pending.password_hash)).await;
    if right.map_err(|_| Code::Overloaded)? { Ok(()) } else { Err(Code::InvalidToken.into()) }
}

/// The registration of a token, if it has not ended and no later mail made another; locked, so that it is used once.
async fn pending(identity: &Identity, tx: &SystemTx, (id, secret): &Token) -> Result<Option<PendingRow>, Problem> {
    let app = &identity.app;
    let pending = pending_registrations::by_id(tx, *id, app.clock.now()).await?;
    Ok(pending.filter(|pending| {
        let digest = pending.token_digest.as_deref().unwrap_or_default();
        app.secrets.digest_matches("verification", secret, digest)
    }))
}

/// Makes account, organization and session of a proven token; other registrations of the address are void.
pub(crate) async fn run(
    identity: &Identity,
    tx: &SystemTx,
    token: &Token,
    client: &Client,
) -> Result<SignedIn, Problem> {
    let app = &identity.app;
    let now = app.clock.now();
    let pending = pending(identity, tx, token).await?.ok_or(Code::InvalidToken)?;
    let user = UserId::new(&app.rng, now);
    let PendingRow { email, email_key, name, .. } = &pending;
    let inserted = users::insert(tx, user, email, email_key, name.as_deref(), now).await;
    inserted.on_constraint("users_email_key", Problem::new(Code::InvalidToken))?;
    credentials::insert(tx, user, &pending.password_hash, now).await?;
    pending_registrations::void(tx, email_key).await?;
    let event = Event::new(Kind::UserRegistered, &Actor::user(user), &app.clock, &app.rng).user(user).target(&user);
    tx.emit(event.request(Some(client.request_id)).personal(json!({ "email": email })).into());
    let founder = Founder {
        user,
        email: email.clone(),
        email_key: email_key.clone(),
        name: name.clone(),
        request: Some(client.request_id),
    };
    let organization_name = pending.organization_name.clone().unwrap_or_else(|| own_organization(&pending));
    let organization = orgs::found(app, tx, &organization_name, &founder).await?;
    let membership = Membership {
        org_id: organization.id,
        org_name: organization.name,
        role: Role::Owner.as_str().to_owned(),
        version: 1,
    };
    sign_in::start(identity, tx, user, Some(membership), client).await
}

fn own_organization(pending: &PendingRow) -> String {
    let whose = pending.name.as_deref().or_else(|| pending.email.split('@').next());
    format!("{}'s organization", whose.unwrap_or_default())
}
