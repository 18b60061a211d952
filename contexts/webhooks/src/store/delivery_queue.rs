//! `delivery_queue`: what is still to be delivered, claimed fairly, under leases.

use crate::store::messages::ErasedRow;
use db::{Done, OrgTx, SystemTx, row, sql};
use types::{DeliveryId, EndpointId, MessageId, OrgId, Timestamp};

row! {
    /// A delivery, leased, with all that its request takes.
    #[derive(Debug, Clone)]
    pub(crate) struct ClaimRow {
        org_id: OrgId, id: DeliveryId, endpoint_id: EndpointId, message_id: MessageId, attempts: i32, claims: i32, url: String,
        sealed_headers: Option<Vec<u8>>, sealed_secret: Vec<u8>, sealed_previous_secret: Option<Vec<u8>>,
        previous_secret_until: Option<Timestamp>, failures: i32, of_event: bool, body: String,
    }
}

row! {
    /// An endpoint that has something queued.
    #[derive(Debug)]
    pub(crate) struct BusyRow { org_id: OrgId, endpoint_id: EndpointId, ready: bool }
}

row! {
    /// Whether the row was there.
    #[derive(Debug)]
    pub(crate) struct FoundRow { id: DeliveryId }
}

sql! {
    /// One process claims at a time, so that what it counts stays true. A statement of its own: the claim's snapshot
    /// is taken with the lock held.
    pub fn lock_claims(tx: SystemTx) -> exec Done = "SELECT pg_advisory_xact_lock(hashtext('delivery_queue'))";

    /// The endpoints that have something queued, from one on: the walk over the index meets each once, whatever waits for
    /// it. Ready is who has something due and may get it now.
    pub fn busy(tx: SystemTx, after_org: OrgId, after_endpoint: EndpointId, now: Timestamp, limit: i32) -> all BusyRow =
        "WITH RECURSIVE busy AS (
             (SELECT org_id, endpoint_id, due_at, 1 AS n FROM delivery_queue
              WHERE (org_id, endpoint_id) > ($1, $2) ORDER BY org_id, endpoint_id, due_at LIMIT 1)
             UNION ALL
             SELECT f.org_id, f.endpoint_id, f.due_at, b.n + 1 FROM busy b CROSS JOIN LATERAL (
                 SELECT q.org_id, q.endpoint_id, q.due_at FROM delivery_queue q
                 WHERE (q.org_id, q.endpoint_id) > (b.org_id, b.endpoint_id)
                 ORDER BY q.org_id, q.endpoint_id, q.due_at LIMIT 1) f
             WHERE b.n < $4
         )
         SELECT b.org_id, b.endpoint_id, coalesce(b.due_at <= $3 AND e.enabled AND e.deleted_at IS NULL
             AND (e.paused_until IS NULL OR e.paused_until <= $3), false) AS ready
         FROM busy b LEFT JOIN endpoints e ON e.org_id = b.org_id AND e.id = b.endpoint_id ORDER BY b.n";

    /// Leases up to `limit` due deliveries of these endpoints for `lease_s` seconds, in turns:
    /// one of each organization, and within it one of each endpoint, then the second of each. What is leased counts: an
    /// endpoint has at most its concurrency in flight (one when its circuit is open), takes at most its rate and its
    /// `room`, and an organization takes at most what stands in `of_org` beside each of its endpoints. Leased deliveries
    /// were due first, so they are found at the beginning of an endpoint's; they are counted before anything is sorted,
    /// and where there is no room nothing is.
    #[expect(clippy::too_many_arguments, reason = "the rules of fairness")]
    pub fn claim(tx: SystemTx, orgs: &[OrgId], endpoints: &[EndpointId], room: &[i32], of_org: &[i32], now: Timestamp,
        limit: i64, opens_after: i32, lease_s: i32) -> all ClaimRow =
        "WITH ready AS MATERIALIZED (
             SELECT e.org_id, e.id, b.room, b.of_org, CASE WHEN e.failures >= $7 THEN 1 ELSE e.max_concurrency END AS most,
                 CASE WHEN e.rate_limit IS NULL THEN 10000 ELSE floor(e.rate_limit * extract(epoch FROM
                     statement_timestamp() - greatest(e.rate_used_until, statement_timestamp()
                     - greatest(interval '200 ms', interval '1 s' / e.rate_limit + interval '100 ms'))) + 0.000001)::int END AS tokens
             FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[]) AS b(org_id, id, room, of_org)
             JOIN endpoints e ON e.org_id = b.org_id AND e.id = b.id
             WHERE e.enabled AND e.deleted_at IS NULL AND (e.paused_until IS NULL OR e.paused_until <= $5)
         ), busy AS (
             SELECT r.org_id, r.id, r.of_org, least(r.most - f.in_flight, r.tokens, r.room, r.of_org) AS room
             FROM ready r CROSS JOIN LATERAL (
                 SELECT count(*) FILTER (WHERE q.lease_until > clock_timestamp()) AS in_flight FROM (
                     SELECT q.lease_until FROM delivery_queue q
                     WHERE q.org_id = r.org_id AND q.endpoint_id = r.id AND q.due_at <= $5
                     ORDER BY q.due_at, q.id LIMIT r.most + least(r.most, r.room)) q) f
         ), waiting AS (
             SELECT b.org_id, b.of_org, q.id, q.due_at,
                 row_number() OVER (PARTITION BY b.org_id, b.id ORDER BY q.due_at, q.id) AS nth
             FROM busy b CROSS JOIN LATERAL (
                 SELECT q.id, q.due_at FROM delivery_queue q
                 WHERE q.org_id = b.org_id AND q.endpoint_id = b.id AND q.due_at <= $5
                     AND (q.lease_until IS NULL OR q.lease_until <= clock_timestamp())
                 ORDER BY q.due_at, q.id LIMIT b.room) q
             WHERE b.room > 0
         ), turns AS (
             SELECT w.org_id, w.id, w.due_at, w.of_org,
                 row_number() OVER (PARTITION BY w.org_id ORDER BY w.nth, w.due_at) AS turn FROM waiting w
         ), next AS MATERIALIZED (
             SELECT t.org_id, t.id FROM turns t WHERE t.turn <= t.of_org ORDER BY t.turn, t.due_at LIMIT $6
         ), picked AS (
             SELECT q.org_id, q.id FROM next n JOIN delivery_queue q ON q.org_id = n.org_id AND q.id = n.id FOR UPDATE OF q SKIP LOCKED
         ), claimed AS (
             UPDATE delivery_queue q SET lease_until = clock_timestamp() + $8::int * interval '1 s', claims = q.claims + 1
             FROM picked p WHERE q.org_id = p.org_id AND q.id = p.id
             RETURNING q.org_id, q.id, q.endpoint_id, q.message_id, q.attempts, q.claims
         ), used AS (
             UPDATE endpoints e SET rate_used_until = greatest(e.rate_used_until, statement_timestamp()
                 - greatest(interval '200 ms', interval '1 s' / e.rate_limit + interval '100 ms')) + c.taken * interval '1 s' / e.rate_limit
             FROM (SELECT org_id, endpoint_id, count(*) AS taken FROM claimed GROUP BY org_id, endpoint_id) c
             WHERE e.org_id = c.org_id AND e.id = c.endpoint_id AND e.rate_limit IS NOT NULL
         )
         SELECT c.org_id, c.id, c.endpoint_id, c.message_id, c.attempts, c.claims, e.url, e.sealed_headers, e.sealed_secret,
             e.sealed_previous_secret, e.previous_secret_until, e.failures, m.of_event, m.body
         FROM claimed c JOIN endpoints e ON e.org_id = c.org_id AND e.id = c.endpoint_id
         JOIN messages m ON m.org_id = c.org_id AND m.id = c.message_id";

    /// Writes a batch of attempts: what has another time to be due stays queued until then, the rest is finished.
    /// Whose lease was taken over by another process (`claims` differs) writes nothing.
    #[expect(clippy::too_many_arguments, reason = "columns of a batch")]
    pub fn record(tx: SystemTx, orgs: &[OrgId], ids: &[DeliveryId], claims: &[i32], next: &[Option<Timestamp>], at: &[Timestamp],
        duration_ms: &[i32], statuses: &[Option<i32>], errors: &[Option<&str>], responses: &[Option<&str>], circuits: &[&str],
        now: Timestamp) -> exec Done =
        "WITH results AS (
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::timestamptz[], $5::timestamptz[], $6::int[], $7::int[],
                 $8::text[], $9::text[], $10::text[])
                 AS r(org_id, id, claims, next, at, duration_ms, status_code, error, response, circuit)
         ), finished AS (
             DELETE FROM delivery_queue q USING results r
             WHERE q.org_id = r.org_id AND q.id = r.id AND q.claims = r.claims AND r.next IS NULL
             RETURNING q.org_id, q.id, q.endpoint_id, q.message_id, q.attempts + 1 AS attempts, q.created_at, r.error
         ), waiting AS (
             UPDATE delivery_queue q SET due_at = r.next, lease_until = NULL, attempts = q.attempts + 1 FROM results r
             WHERE q.org_id = r.org_id AND q.id = r.id AND q.claims = r.claims AND r.next IS NOT NULL
             RETURNING q.org_id, q.id, q.attempts
         ), kept AS (
             INSERT INTO deliveries (org_id, id, endpoint_id, message_id, status, attempts, created_at, finished_at)
             SELECT org_id, id, endpoint_id, message_id, CASE WHEN error IS NULL THEN 'delivered' ELSE 'failed' END, attempts,
                 created_at, $11 FROM finished
         ), counted AS (
             SELECT org_id, id, attempts FROM finished UNION ALL SELECT org_id, id, attempts FROM waiting
         )
         INSERT INTO attempts (org_id, delivery_id, number, at, duration_ms, status_code, error, response, circuit)
         SELECT c.org_id, c.id, c.attempts, r.at, r.duration_ms, r.status_code, r.error, r.response, r.circuit
         FROM counted c JOIN results r ON r.org_id = c.org_id AND r.id = c.id";

    /// A delivery to one endpoint: a test, or a repetition.
    pub fn insert(tx: OrgTx, org: OrgId, id: DeliveryId, endpoint: EndpointId, message: MessageId, now: Timestamp) -> exec Done =
        "INSERT INTO delivery_queue (org_id, id, endpoint_id, message_id, due_at, created_at) VALUES ($1, $2, $3, $4, $5, $5)";

    /// Makes what waits for its next attempt due now.
    pub fn hasten(tx: OrgTx, org: OrgId, id: DeliveryId, now: Timestamp) -> opt FoundRow =
        "UPDATE delivery_queue SET due_at = least(due_at, $3) WHERE org_id = $1 AND id = $2 RETURNING id";

    /// Deliveries to endpoints that were deleted, and those that waited too long for theirs to be enabled again, a part at a
    /// time.
    pub fn erase(tx: SystemTx, before: Timestamp, limit: i64) -> one ErasedRow =
        "WITH gone AS (DELETE FROM delivery_queue WHERE (org_id, id) IN
             (SELECT q.org_id, q.id FROM delivery_queue q JOIN endpoints e ON e.org_id = q.org_id AND e.id = q.endpoint_id
              WHERE e.deleted_at IS NOT NULL OR q.created_at < $1 LIMIT $2) RETURNING 1)
         SELECT count(*) AS erased FROM gone";
}
