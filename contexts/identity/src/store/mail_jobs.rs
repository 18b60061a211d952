//! What is to be mailed, by ids.

use db::{Done, SystemTx, row, sql};
use types::{Timestamp, UserId, Uuid};

row! {
    /// A job, leased.
    #[derive(Debug)]
    pub(crate) struct MailJobRow { id: i64, registration_id: Option<Uuid>, user_id: Option<UserId>, attempts: i32 }
}

sql! {
    /// A new job: a registration's link, or a note to somebody who is registered already.
    pub fn insert(tx: SystemTx, kind: &str, registration: Option<Uuid>, user: Option<UserId>, now: Timestamp) -> exec Done =
        "INSERT INTO mail_jobs (kind, registration_id, user_id, due_at) VALUES ($1, $2, $3, $4)";

    /// The next job that is due, leased for a minute by PostgreSQL's clock; later attempts wait longer.
    pub fn claim(tx: SystemTx, now: Timestamp) -> opt MailJobRow =
        "UPDATE mail_jobs SET attempts = attempts + 1,
             lease_until = clock_timestamp() + interval '1 minute' * least(attempts + 1, 60)
         WHERE id = (SELECT id FROM mail_jobs WHERE due_at <= $1 AND (lease_until IS NULL OR lease_until < clock_timestamp())
             ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING id, registration_id, user_id, attempts";

    /// A job that is done.
    pub fn delete(tx: SystemTx, id: i64) -> exec Done = "DELETE FROM mail_jobs WHERE id = $1";
}
