//! Passwords, as hashes.

use db::{Done, SystemTx, row, sql};
use types::{Timestamp, UserId};

row! {
    /// What a sign-in is checked against.
    pub(crate) struct CredentialRow { user_id: UserId, password_hash: String }
}

sql! {
    /// The first password.
    pub fn insert(tx: SystemTx, user: UserId, password_hash: &str, now: Timestamp) -> exec Done =
        "INSERT INTO credentials (user_id, password_hash, updated_at) VALUES ($1, $2, $3)";

    /// The password of the active account with this address.
    pub fn by_email_key(tx: SystemTx, email_key: &str) -> opt CredentialRow =
        "SELECT c.user_id, c.password_hash FROM users u JOIN credentials c ON c.user_id = u.id
         WHERE u.email_key = $1 AND u.status = 'active'";
}
