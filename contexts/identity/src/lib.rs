//! Accounts, signing in, sessions, tokens and their keys (auth-service); the directory of users (user-service).
//!
//! Front door: [`auth_routes`] and [`user_routes`], [`Identity`] as their state, [`jobs`] to run beside them,
//! [`SigningKeys`] which verify tokens, [`seed`] for accounts that an operator makes by hand.

mod actions;
mod hasher;
mod keys;
mod logins;
mod mail;
mod model;
mod routes;
mod store;

pub use actions::seed::{Account, has_account, seed};
pub use hasher::{HashCost, Hasher, Overloaded};
pub use keys::{KeyError, KeyState, SigningKeys};
pub use mail::{CaughtMail, Mailer, MailerError};
pub use routes::{auth_routes, user_routes};
pub use store::STATEMENTS;

use api::App;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The state of this context; a clone is the same.
#[derive(Clone)]
pub struct Identity {
    /// What all contexts share.
    pub app: App,
    /// Passwords.
    pub hasher: Hasher,
    /// Tokens.
    pub keys: SigningKeys,
    /// Where mail goes.
    pub mailer: Mailer,
    logins: logins::Logins,
    /// Wakes the mail worker of this process.
    mail_waits: Arc<Notify>,
}

impl Identity {
    /// From its parts.
    pub fn new(app: App, hasher: Hasher, keys: SigningKeys, mailer: Mailer) -> Self {
        let logins = logins::Logins::new(&app.metrics);
        Self { app, hasher, keys, mailer, logins, mail_waits: Arc::default() }
    }
}

impl axum::extract::FromRef<Identity> for App {
    fn from_ref(identity: &Identity) -> Self {
        identity.app.clone()
    }
}

/// What runs beside the routes of auth-service until told to stop: mail. Every process follows the keys besides
/// ([`SigningKeys::follow`]).
pub async fn jobs(identity: Identity, stop: CancellationToken) {
    mail::run(identity, stop).await;
}
