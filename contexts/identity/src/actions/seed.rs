//! An account made by an operator: the first owner, and the people of a demo.

use crate::{
    Hasher, Overloaded,
    store::{credentials, users},
};
use api::App;
use db::{DbResult, SystemTx, Work};
use events::{Actor, Event, Kind};
use orgs::Founder;
use serde_json::json;
use types::{Email, UserId};

/// An account to be made.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its address, taken as proven.
    pub email: Email,
    /// Its name.
    pub name: String,
    /// Its hash, from [`Account::hashed`].
    password_hash: String,
}

impl Account {
    /// With its password hashed; no rule about passwords applies, the operator answers for it.
    pub async fn hashed(hasher: &Hasher, email: Email, name: &str, password: &str) -> Result<Self, Overloaded> {
        Ok(Self { email, name: name.to_owned(), password_hash: hasher.hash(password.to_owned()).await? })
    }
}

/// Whether somebody has this address.
pub async fn has_account(app: &App, email: &Email) -> DbResult<bool> {
    let tx = app.db.system(Work::Administration).await?;
    let user = users::by_email_key(&tx, email.key()).await?;
    tx.commit().await?;
    Ok(user.is_some())
}

/// Makes the account, or finds the one with this address; the founder of an organization, or whoever joins one.
pub async fn seed(app: &App, tx: &SystemTx, account: &Account) -> DbResult<Founder> {
    let (email, key, now) = (account.email.as_str(), account.email.key(), app.clock.now());
    let user = if let Some(user) = users::by_email_key(tx, key).await? {
        user.id
    } else {
        let user = UserId::new(&app.rng, now);
        users::insert(tx, user, email, key, Some(&account.name), now).await?;
        credentials::insert(tx, user, &account.password_hash, now).await?;
        let event = Event::new(Kind::UserRegistered, &Actor::SYSTEM, &app.clock, &app.rng).user(user).target(&user);
        tx.emit(event.personal(json!({ "email": email })).into());
        user
    };
    let (email, email_key) = (email.to_owned(), key.to_owned());
    Ok(Founder { user, email, email_key, name: Some(account.name.clone()), request: None })
}
