//! `attempts`: every request that was made.

use crate::store::messages::ErasedRow;
use db::{OrgRead, SystemTx, row, sql};
use types::{DeliveryId, OrgId, Timestamp};

row! {
    /// An attempt.
    #[derive(Debug)]
    pub(crate) struct AttemptRow {
        number: i32, at: Timestamp, duration_ms: i32, status_code: Option<i32>, error: Option<String>, response: Option<String>,
        circuit: String,
    }
}

sql! {
    /// Those of a delivery, in order.
    pub fn of_delivery(db: OrgRead, org: OrgId, delivery: DeliveryId) -> all AttemptRow =
        "SELECT number, at, duration_ms, status_code, error, response, circuit FROM attempts
         WHERE org_id = $1 AND delivery_id = $2 ORDER BY number";

    /// Attempts past their time, a part at a time.
    pub fn erase(tx: SystemTx, before: Timestamp, limit: i64) -> one ErasedRow =
        "WITH gone AS (DELETE FROM attempts WHERE (org_id, delivery_id, number) IN
             (SELECT org_id, delivery_id, number FROM attempts WHERE at < $1 LIMIT $2) RETURNING 1)
         SELECT count(*) AS erased FROM gone";
}
