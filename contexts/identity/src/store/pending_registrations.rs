//! Addresses that were registered and are not proven yet.

use db::{Done, SystemTx, row, sql};
use types::{Timestamp, Uuid};

row! {
    /// A registration.
    #[derive(Debug, Clone)]
    pub(crate) struct PendingRow {
        id: Uuid,
        email: String,
        email_key: String,
        name: Option<String>,
        organization_name: Option<String>,
        password_hash: String,
        token_digest: Option<Vec<u8>>,
    }
}
row! {
    /// Where its mail goes.
    pub(crate) struct AddressRow { email: String }
}
row! {
    /// Which one.
    pub(crate) struct IdRow { id: Uuid }
}

sql! {
    /// A new one, for a day.
    #[expect(clippy::too_many_arguments, reason = "a row's columns")]
    pub fn insert(tx: SystemTx, id: Uuid, email: &str, email_key: &str, name: Option<&str>, organization_name: Option<&str>,
        password_hash: &str, now: Timestamp) -> exec Done =
        "INSERT INTO pending_registrations
             (id, email, email_key, name, organization_name, password_hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7::timestamptz, $7::timestamptz + interval '24 hours')";

    /// One that has not expired; locked, so that it is verified once.
    pub fn by_id(tx: SystemTx, id: Uuid, now: Timestamp) -> opt PendingRow =
        "SELECT id, email, email_key, name, organization_name, password_hash, token_digest FROM pending_registrations
         WHERE id = $1 AND expires_at > $2 FOR UPDATE";

    /// The newest of an address.
    pub fn newest(tx: SystemTx, email_key: &str, now: Timestamp) -> opt IdRow =
        "SELECT id FROM pending_registrations WHERE email_key = $1 AND expires_at > $2 ORDER BY created_at DESC LIMIT 1";

    /// Remembers the digest of the token in the newest mail.
    pub fn set_token(tx: SystemTx, id: Uuid, digest: &[u8], now: Timestamp) -> opt AddressRow =
        "UPDATE pending_registrations SET token_digest = $2 WHERE id = $1 AND expires_at > $3 RETURNING email";

    /// All of an address, once one of them is verified.
    pub fn void(tx: SystemTx, email_key: &str) -> exec Done = "DELETE FROM pending_registrations WHERE email_key = $1";
}
