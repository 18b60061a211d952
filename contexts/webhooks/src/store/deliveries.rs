//! `deliveries`, together with `delivery_queue`: a delivery is in one of them.

use crate::store::messages::ErasedRow;
use db::{OrgRead, SystemTx, row, sql};
use types::{DeliveryId, EndpointId, MessageId, OrgId, Timestamp};

row! {
    /// A delivery, finished or not.
    #[derive(Debug)]
    pub(crate) struct DeliveryRow {
        id: DeliveryId, endpoint_id: EndpointId, message_id: MessageId, of_event: Option<bool>, of: Option<String>, status: String,
        attempts: i32, created_at: Timestamp, finished_at: Option<Timestamp>, next_attempt_at: Option<Timestamp>,
    }
}

sql! {
    /// What waits, newest first.
    pub fn waiting(db: OrgRead, org: OrgId, before: DeliveryId, limit: i64) -> all DeliveryRow =
        "SELECT q.id, q.endpoint_id, q.message_id, m.of_event, m.type AS of, 'pending' AS status, q.attempts, q.created_at,
             NULL::timestamptz AS finished_at, q.due_at AS next_attempt_at
         FROM (SELECT id, endpoint_id, message_id, attempts, created_at, due_at FROM delivery_queue
             WHERE org_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3) q
         LEFT JOIN messages m ON m.org_id = $1 AND m.id = q.message_id ORDER BY q.id DESC";

    /// The same of one endpoint.
    pub fn waiting_of(db: OrgRead, org: OrgId, before: DeliveryId, limit: i64, endpoint: EndpointId) -> all DeliveryRow =
        "SELECT q.id, q.endpoint_id, q.message_id, m.of_event, m.type AS of, 'pending' AS status, q.attempts, q.created_at,
             NULL::timestamptz AS finished_at, q.due_at AS next_attempt_at
         FROM (SELECT id, endpoint_id, message_id, attempts, created_at, due_at FROM delivery_queue
             WHERE org_id = $1 AND id < $2 AND endpoint_id = $4 ORDER BY id DESC LIMIT $3) q
         LEFT JOIN messages m ON m.org_id = $1 AND m.id = q.message_id ORDER BY q.id DESC";

    /// What is finished in one of these ways, newest first.
    pub fn finished(db: OrgRead, org: OrgId, before: DeliveryId, limit: i64, statuses: &[&str]) -> all DeliveryRow =
        "SELECT f.id, f.endpoint_id, f.message_id, m.of_event, m.type AS of, f.status, f.attempts, f.created_at, f.finished_at,
             NULL::timestamptz AS next_attempt_at
         FROM (SELECT id, endpoint_id, message_id, status, attempts, created_at, finished_at FROM deliveries
             WHERE org_id = $1 AND id < $2 AND status = ANY ($4) ORDER BY id DESC LIMIT $3) f
         LEFT JOIN messages m ON m.org_id = $1 AND m.id = f.message_id ORDER BY f.id DESC";

    /// The same of one endpoint.
    pub fn finished_of(db: OrgRead, org: OrgId, before: DeliveryId, limit: i64, statuses: &[&str], endpoint: EndpointId) -> all DeliveryRow =
        "SELECT f.id, f.endpoint_id, f.message_id, m.of_event, m.type AS of, f.status, f.attempts, f.created_at, f.finished_at,
             NULL::timestamptz AS next_attempt_at
         FROM (SELECT id, endpoint_id, message_id, status, attempts, created_at, finished_at FROM deliveries
             WHERE org_id = $1 AND id < $2 AND status = ANY ($4) AND endpoint_id = $5 ORDER BY id DESC LIMIT $3) f
         LEFT JOIN messages m ON m.org_id = $1 AND m.id = f.message_id ORDER BY f.id DESC";

    /// What failed, newest first: rare, so it has an index of its own.
    pub fn failed(db: OrgRead, org: OrgId, before: DeliveryId, limit: i64) -> all DeliveryRow =
        "SELECT f.id, f.endpoint_id, f.message_id, m.of_event, m.type AS of, f.status, f.attempts, f.created_at, f.finished_at,
             NULL::timestamptz AS next_attempt_at
         FROM (SELECT id, endpoint_id, message_id, status, attempts, created_at, finished_at FROM deliveries
             WHERE org_id = $1 AND id < $2 AND status = 'failed' ORDER BY id DESC LIMIT $3) f
         LEFT JOIN messages m ON m.org_id = $1 AND m.id = f.message_id ORDER BY f.id DESC";

    /// The same of one endpoint.
    pub fn failed_of(db: OrgRead, org: OrgId, before: DeliveryId, limit: i64, endpoint: EndpointId) -> all DeliveryRow =
        "SELECT f.id, f.endpoint_id, f.message_id, m.of_event, m.type AS of, f.status, f.attempts, f.created_at, f.finished_at,
             NULL::timestamptz AS next_attempt_at
         FROM (SELECT id, endpoint_id, message_id, status, attempts, created_at, finished_at FROM deliveries
             WHERE org_id = $1 AND id < $2 AND status = 'failed' AND endpoint_id = $4 ORDER BY id DESC LIMIT $3) f
         LEFT JOIN messages m ON m.org_id = $1 AND m.id = f.message_id ORDER BY f.id DESC";

    /// The delivery of that id.
    pub fn by_id(db: OrgRead, org: OrgId, id: DeliveryId) -> opt DeliveryRow =
        "SELECT d.id, d.endpoint_id, d.message_id, m.of_event, m.type AS of, d.status, d.attempts, d.created_at, d.finished_at, d.next_attempt_at
         FROM (
             SELECT id, endpoint_id, message_id, 'pending' AS status, attempts, created_at, NULL::timestamptz AS finished_at,
                 due_at AS next_attempt_at FROM delivery_queue WHERE org_id = $1 AND id = $2
             UNION ALL
             SELECT id, endpoint_id, message_id, status, attempts, created_at, finished_at, NULL
             FROM deliveries WHERE org_id = $1 AND id = $2
         ) d LEFT JOIN messages m ON m.org_id = $1 AND m.id = d.message_id LIMIT 1";

    /// Deliveries past their time, a part at a time.
    pub fn erase(tx: SystemTx, before: Timestamp, limit: i64) -> one ErasedRow =
        "WITH gone AS (DELETE FROM deliveries WHERE (org_id, id) IN
             (SELECT org_id, id FROM deliveries WHERE finished_at < $1 LIMIT $2) RETURNING 1)
         SELECT count(*) AS erased FROM gone";
}
