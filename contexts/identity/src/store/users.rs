//! Accounts.

use db::{Done, PersonTx, SystemTx, row, sql};
use types::{Timestamp, UserId};

row! {
    /// An account.
    #[derive(Debug, Clone)]
    pub(crate) struct UserRow {
        id: UserId,
        email: String,
        name: Option<String>,
        status: String,
        mfa_enabled: bool,
        version: i32,
        created_at: Timestamp,
        updated_at: Timestamp,
    }
}

sql! {
    /// A new account.
    pub fn insert(tx: SystemTx, id: UserId, email: &str, email_key: &str, name: Option<&str>, now: Timestamp) -> exec Done =
        "INSERT INTO users (id, email, email_key, name, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)";

    /// An account by its address's key.
    pub fn by_email_key(tx: SystemTx, email_key: &str) -> opt UserRow =
        "SELECT id, email, name, status, mfa_enabled, version, created_at, updated_at FROM users WHERE email_key = $1";

    /// An account.
    pub fn by_id(tx: SystemTx, id: UserId) -> opt UserRow =
        "SELECT id, email, name, status, mfa_enabled, version, created_at, updated_at FROM users WHERE id = $1";

    /// The person's own account.
    pub fn own(tx: PersonTx) -> opt UserRow =
        "SELECT id, email, name, status, mfa_enabled, version, created_at, updated_at FROM users WHERE id = app_user()";

    /// The same, locked: changes at the same time happen one after the other.
    pub fn own_to_change(tx: PersonTx) -> opt UserRow =
        "SELECT id, email, name, status, mfa_enabled, version, created_at, updated_at FROM users WHERE id = app_user()
         FOR NO KEY UPDATE";

    /// Another name.
    pub fn rename(tx: PersonTx, name: Option<&str>, now: Timestamp) -> one UserRow =
        "UPDATE users SET name = $1, version = version + 1, updated_at = $2 WHERE id = app_user()
         RETURNING id, email, name, status, mfa_enabled, version, created_at, updated_at";
}
