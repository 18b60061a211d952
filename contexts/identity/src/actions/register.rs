//! An address asks for an account; nothing is made until it is proven.

use crate::store::{mail_jobs, pending_registrations, users};
use api::App;
use db::{DbResult, SystemTx};
use types::Email;

/// What was asked for, with the password hashed.
pub(crate) struct Registration {
    pub(crate) email: Email,
    pub(crate) name: Option<String>,
    pub(crate) organization_name: Option<String>,
    pub(crate) password_hash: String,
}

/// Writes a pending registration and its mail; an address that has an account gets a mail that says so.
pub(crate) async fn run(app: &App, tx: &SystemTx, registration: &Registration) -> DbResult<()> {
    let now = app.clock.now();
    let (email, key) = (registration.email.as_str(), registration.email.key());
    if let Some(user) = users::by_email_key(tx, key).await? {
        return mail_jobs::insert(tx, "already_registered", None, Some(user.id), now).await;
    }
    let id = app.rng.uuid(now);
    let (name, organization) = (registration.name.as_deref(), registration.organization_name.as_deref());
    pending_registrations::insert(tx, id, email, key, name, organization, &registration.password_hash, now).await?;
    mail_jobs::insert(tx, "verification", Some(id), None, now).await
}

/// Another mail for the newest registration of an address, if there is one.
pub(crate) async fn mail_again(app: &App, tx: &SystemTx, email: &Email) -> DbResult<()> {
    let now = app.clock.now();
    match pending_registrations::newest(tx, email.key(), now).await? {
        Some(pending) => mail_jobs::insert(tx, "verification", Some(pending.id), None, now).await,
        None => Ok(()),
    }
}
