//! Signing in with address and password.

use super::sign_in::{self, SignedIn};
use crate::{Identity, store::credentials};
use api::{Client, Code, Policy, Problem};
use db::{SystemTx, Work};
use events::{Actor, Event, Kind};
use orgs::Membership;
use serde_json::json;
use std::time::Duration;
use types::{Email, OrgId, UserId};

/// Wrong tries for one account: slow enough against guessing, short enough that nobody is locked out for long.
const PER_ACCOUNT: Policy = Policy { name: "login_account", quota: 20, window: Duration::from_mins(10) };
/// Wrong tries from one network, against one password tried with many accounts; an office may share an address.
const PER_NETWORK: Policy = Policy { name: "login_address", quota: 300, window: Duration::from_mins(10) };

/// Who signs in, proven; or a refusal that tells nobody whether the address is known: same text, same work.
pub(crate) async fn prove(
    identity: &Identity,
    email: &str,
    password: String,
    client: &Client,
) -> Result<UserId, Problem> {
    let app = &identity.app;
    let key = Email::parse(email).map_or_else(|_| email.to_lowercase(), |email| email.key().to_owned());
    let network = client.network();
    let limited = app.limits.take(PER_NETWORK, &network).and_then(|_| app.limits.take(PER_ACCOUNT, &key));
    limited.inspect_err(|_| identity.logins.password("throttled"))?;
    let tx = app.db.system(Work::Login).await?;
    let credential = credentials::by_email_key(&tx, &key).await?;
    tx.commit().await?;
    let (user, hash) = credential.map(|row| (row.user_id, row.password_hash)).unzip();
    let right = identity.hasher.verify(password, hash).await.map_err(|_| Code::Overloaded)?;
    match user {
        Some(user) if right => {
            app.limits.put_back(PER_NETWORK, &network);
            app.limits.put_back(PER_ACCOUNT, &key);
            Ok(user)
        }
        user => {
            identity.logins.password("refused");
            refused(identity, user, client).await?;
            Err(Code::BadCredentials.into())
        }
    }
}

/// A wrong password is in the person's own log, and in that of the organization that the right one would have led to; an
/// unknown address costs the same transaction.
async fn refused(identity: &Identity, user: Option<UserId>, client: &Client) -> Result<(), Problem> {
    let app = &identity.app;
    let tx = app.db.system(Work::Login).await?;
    let unknown = UserId(types::Uuid::nil());
    let membership = orgs::used_last(&tx, user.unwrap_or(unknown)).await?;
    if let Some(user) = user {
        let event = Event::new(Kind::SessionFailed, &Actor::ANONYMOUS, &app.clock, &app.rng).user(user).target(&user);
        let personal = json!({ "address": client.address, "user_agent": client.user_agent });
        let event = event.request(Some(client.request_id)).data(json!({ "method": "password" })).personal(personal);
        tx.emit(event.org(membership.map(|membership| membership.org_id)).into());
    }
    Ok(tx.commit().await?)
}

/// Signs a proven person in, to the organization asked for, or the one used last.
pub(crate) async fn run(
    identity: &Identity,
    tx: &SystemTx,
    user: UserId,
    org: Option<OrgId>,
    client: &Client,
) -> Result<SignedIn, Problem> {
    let membership = membership(tx, user, org).await?;
    let signed_in = sign_in::start(identity, tx, user, membership, client).await?;
    identity.logins.password("ok");
    Ok(signed_in)
}

/// An organization that one is not a member of is one that does not exist.
pub(crate) async fn membership(tx: &SystemTx, user: UserId, org: Option<OrgId>) -> Result<Option<Membership>, Problem> {
    match org {
        None => Ok(orgs::used_last(tx, user).await?),
        Some(org) => Ok(Some(orgs::of_user(tx, user, org).await?.ok_or(Code::NotFound)?)),
    }
}
