//! `messages`: what is told, as it is signed and sent.

use db::{Done, OrgTx, SystemTx, row, sql};
use types::{MessageId, OrgId, Timestamp, Uuid};

row! {
    /// How many were erased.
    #[derive(Debug)]
    pub(crate) struct ErasedRow { erased: i64 }
}

sql! {
    /// A message of the organization's own.
    #[expect(clippy::too_many_arguments, reason = "a row's columns")]
    pub fn insert(tx: OrgTx, org: OrgId, id: MessageId, of: &str, channels: &[String], body: &str, now: Timestamp) -> exec Done =
        "INSERT INTO messages (org_id, id, of_event, type, channels, body, created_at) VALUES ($1, $2, false, $3, $4, $5, $6)";

    /// Fans a batch out: each arrived event or message becomes a delivery for every endpoint that wants its type and
    /// channels. Bodies are those of events; an own message has its row already, and its type and channels there.
    ///
    /// A delivery's id is a UUIDv7 of microseconds (RFC 9562, 6.2, method 3), in the order of the log: deliveries that are
    /// due at the same moment are claimed in the order in which they came to be, which the claim relies on.
    pub fn fan_out(tx: SystemTx, orgs: &[OrgId], ids: &[Uuid], types: &[&str], bodies: &[Option<String>], now: Timestamp) -> exec Done =
        "WITH arrived AS (
             SELECT a.org_id, a.id, a.body, a.n, coalesce(m.type, a.type) AS type, coalesce(m.channels, '{}') AS channels
             FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) WITH ORDINALITY AS a(org_id, id, type, body, n)
             LEFT JOIN messages m ON a.body IS NULL AND m.org_id = a.org_id AND m.id = a.id
             WHERE a.body IS NOT NULL OR m.id IS NOT NULL
         ), wanted AS (
             SELECT a.org_id, a.id AS message_id, a.type, a.body, e.id AS endpoint_id,
                 (extract(epoch FROM statement_timestamp()) * 1000000)::int8 + a.n AS us
             FROM arrived a JOIN endpoints e ON e.org_id = a.org_id AND e.enabled AND e.deleted_at IS NULL
             WHERE (e.event_types = '{}' OR EXISTS (SELECT FROM unnest(e.event_types) AS p(pattern)
                 WHERE p.pattern IN ('*', a.type) OR (right(p.pattern, 2) = '.*' AND starts_with(a.type, left(p.pattern, -1)))))
             AND (e.channels = '{}' OR e.channels && a.channels)
         ), kept AS (
             INSERT INTO messages (org_id, id, of_event, type, channels, body, created_at)
             SELECT DISTINCT org_id, message_id, true, type, '{}'::text[], body, $5::timestamptz FROM wanted WHERE body IS NOT NULL
         )
         INSERT INTO delivery_queue (org_id, id, endpoint_id, message_id, due_at, created_at)
         SELECT w.org_id, encode(overlay(uuid_send(gen_random_uuid())
                 PLACING int8send((w.us / 1000) << 16 | 28672 | w.us % 1000 * 4096 / 1000) FROM 1 FOR 8), 'hex')::uuid,
             w.endpoint_id, w.message_id, $5, $5
         FROM wanted w";

    /// Messages past their time, a part at a time; those that still wait go with their deliveries.
    pub fn erase(tx: SystemTx, before: Timestamp, limit: i64) -> one ErasedRow =
        "WITH gone AS (DELETE FROM messages WHERE (org_id, id) IN
             (SELECT org_id, id FROM messages WHERE created_at < $1 LIMIT $2) RETURNING 1)
         SELECT count(*) AS erased FROM gone";
}
