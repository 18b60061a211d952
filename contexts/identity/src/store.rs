//! Rows of accounts, credentials, sessions, keys and mail jobs: the only SQL of this context.

pub(crate) mod credentials;
pub(crate) mod mail_jobs;
pub(crate) mod pending_registrations;
pub(crate) mod sessions;
pub(crate) mod signing_keys;
pub(crate) mod users;

/// Every statement of this context.
pub const STATEMENTS: &[&[db::Sql]] = &[
    credentials::statements::ALL,
    mail_jobs::statements::ALL,
    pending_registrations::statements::ALL,
    sessions::statements::ALL,
    signing_keys::statements::ALL,
    users::statements::ALL,
];
