//! Keys that sign tokens, sealed.

use db::{Done, SystemTx, row, sql};
use types::Timestamp;

row! {
    /// A key in use.
    pub(crate) struct SigningKeyRow { id: String, public_key: Vec<u8>, sealed_seed: Vec<u8>, signs_from: Timestamp }
}
row! {
    /// A key, as an operator sees it.
    pub(crate) struct KeyStateRow {
        id: String,
        created_at: Timestamp,
        signs_from: Timestamp,
        retired_at: Option<Timestamp>,
    }
}

sql! {
    /// Lets one process at a time decide about keys.
    pub fn lock(tx: SystemTx) -> exec Done = "SELECT pg_advisory_xact_lock(hashtext('signing_keys'))";

    /// Those that verify.
    pub fn in_use(tx: SystemTx) -> all SigningKeyRow =
        "SELECT id, public_key, sealed_seed, signs_from FROM signing_keys WHERE retired_at IS NULL";

    /// All of them, newest last.
    pub fn all(tx: SystemTx) -> all KeyStateRow =
        "SELECT id, created_at, signs_from, retired_at FROM signing_keys ORDER BY created_at";

    /// A new key.
    pub fn insert(tx: SystemTx, id: &str, public_key: &[u8], sealed_seed: &[u8], now: Timestamp, signs_from: Timestamp) -> exec Done =
        "INSERT INTO signing_keys (id, public_key, sealed_seed, created_at, signs_from) VALUES ($1, $2, $3, $4, $5)";

    /// Takes a key out of use.
    pub fn retire(tx: SystemTx, id: &str, now: Timestamp) -> opt Done =
        "UPDATE signing_keys SET retired_at = $2 WHERE id = $1 AND retired_at IS NULL RETURNING 1";
}
