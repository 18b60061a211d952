//! The table `jobs`. Leases go by PostgreSQL's clock.

use db::{Done, OrgRead, OrgTx, SystemTx};
use serde_json::Value;
use types::{JobId, OrgId, Timestamp, UserId};
use uuid::Uuid;

db::row! {
    /// A job as it is shown.
    #[derive(Debug)]
    pub(crate) struct JobRow {
        id: JobId, kind: String, state: String, done: i64, total: Option<i64>, error_count: i64, errors: Value,
        result: Option<String>, needs: String, created_by: UserId, created_at: Timestamp, started_at: Option<Timestamp>,
        finished_at: Option<Timestamp>,
    }
}
db::row! {
    /// A job that was taken.
    #[derive(Debug)]
    pub struct ClaimedRow { org_id: OrgId, id: JobId, kind: String, input: Value }
}
db::row! {
    /// How far a job got.
    #[derive(Debug)]
    pub struct SavedRow { position: Option<Value>, error_count: i64 }
}

db::sql! {
    /// The job of that id.
    pub fn by_id(db: OrgRead, org: OrgId, id: JobId) -> opt JobRow =
        "SELECT id, kind, state, done, total, error_count, errors, result, needs, created_by, created_at, started_at, finished_at
         FROM jobs WHERE org_id = $1 AND id = $2";

    /// A new one, to be taken at once.
    #[expect(clippy::too_many_arguments, reason = "a row's columns")]
    pub fn insert(tx: OrgTx, org: OrgId, id: JobId, kind: &str, input: &Value, result: Option<&str>, needs: &str,
        by: UserId, now: Timestamp) -> exec Done =
        "INSERT INTO jobs (org_id, id, kind, input, result, needs, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

    /// Takes the job that nobody has for longest. The lease grows with attempts that get nowhere.
    pub fn claim(tx: SystemTx, holder: Uuid, kinds: &[&str], now: Timestamp) -> opt ClaimedRow =
        "UPDATE jobs SET state = 'running', holder = $1, started_at = coalesce(started_at, $3), attempts = attempts + 1,
             lease_until = clock_timestamp() + interval '15 s' * least(attempts + 1, 20)
         WHERE (org_id, id) = (SELECT org_id, id FROM jobs
             WHERE state IN ('queued', 'running') AND lease_until <= clock_timestamp() AND kind = ANY ($2)
             ORDER BY lease_until LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING org_id, id, kind, input";

    /// Kept from others, and from being superseded, until the transaction ends. None: it is no longer the holder's.
    pub fn lock(tx: OrgTx, org: OrgId, id: JobId, holder: Uuid) -> opt SavedRow =
        "SELECT position, error_count FROM jobs
         WHERE org_id = $1 AND id = $2 AND holder = $3 AND state = 'running' FOR UPDATE";

    /// What a step got done.
    #[expect(clippy::too_many_arguments, reason = "a row's columns")]
    pub fn save(tx: OrgTx, org: OrgId, id: JobId, position: &Value, total: Option<i64>, done: i64, errors: &Value,
        found: i64) -> exec Done =
        "UPDATE jobs SET position = $3, total = coalesce($4, total), done = done + $5, errors = errors || $6,
             error_count = error_count + $7, attempts = 0, lease_until = clock_timestamp() + interval '15 s'
         WHERE org_id = $1 AND id = $2";

    /// Whoever comes next may take it; others that wait come first.
    pub fn release(tx: OrgTx, org: OrgId, id: JobId, holder: Uuid) -> exec Done =
        "UPDATE jobs SET lease_until = clock_timestamp(), attempts = 0
         WHERE org_id = $1 AND id = $2 AND holder = $3 AND state = 'running'";

    /// The end. What came and went meanwhile was counted or not: what was done is all.
    pub fn finish(tx: OrgTx, org: OrgId, id: JobId, state: &str, now: Timestamp) -> exec Done =
        "UPDATE jobs SET state = $3, total = done, finished_at = $4, holder = NULL WHERE org_id = $1 AND id = $2";

    /// The end before the end; the reason is told first, whatever else there is to tell.
    pub fn supersede(tx: OrgTx, org: OrgId, id: JobId, errors: &Value, now: Timestamp) -> exec Done =
        "UPDATE jobs SET state = 'failed', errors = $3 || (errors - 99), error_count = error_count + 1, finished_at = $4,
             holder = NULL
         WHERE org_id = $1 AND id = $2 AND state IN ('queued', 'running')";
}
