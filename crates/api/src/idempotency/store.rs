//! The table `idempotency_keys`.

use db::{Done, Tx};
use types::{OrgId, Timestamp, UserId};

db::row! {
    /// Whether the advisory lock was had.
    #[derive(Debug)]
    pub(crate) struct Lock {
        /// It was.
        locked: bool,
    }
}

db::row! {
    /// A remembered answer.
    #[derive(Debug)]
    pub(crate) struct Kept {
        /// Method and route.
        operation: String,
        /// SHA-256 of the body.
        body_digest: Vec<u8>,
        /// See `answer`.
        sealed_answer: Vec<u8>,
    }
}

db::sql! {
    /// Held until the transaction ends.
    pub fn try_lock(db: Tx, id: i64) -> one Lock = "SELECT pg_try_advisory_xact_lock($1) AS locked";
    /// Once a scope, each with `=` and `IS NULL`: `IS NOT DISTINCT FROM` is no condition of an index.
    pub fn of_org(db: Tx, org: OrgId, principal: &str, key_digest: &[u8]) -> opt Kept =
        "SELECT operation, body_digest, sealed_answer FROM idempotency_keys \
         WHERE org_id = $1 AND user_id IS NULL AND principal = $2 AND key_digest = $3";
    /// The same for what a person does outside of organizations.
    pub fn of_person(db: Tx, person: UserId, principal: &str, key_digest: &[u8]) -> opt Kept =
        "SELECT operation, body_digest, sealed_answer FROM idempotency_keys \
         WHERE org_id IS NULL AND user_id = $1 AND principal = $2 AND key_digest = $3";
    /// The unique key is the backstop of the lock.
    #[expect(clippy::too_many_arguments, reason = "one for each column")]
    pub fn insert(
        db: Tx, org: Option<OrgId>, person: Option<UserId>, principal: &str, key_digest: &[u8], operation: &str,
        body_digest: &[u8], sealed_answer: &[u8], now: Timestamp
    ) -> exec Done =
        "INSERT INTO idempotency_keys \
         (org_id, user_id, principal, key_digest, operation, body_digest, sealed_answer, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
}
