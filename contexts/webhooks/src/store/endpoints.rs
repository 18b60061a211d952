//! `endpoints`: where to, what of, how fast, and how they fare.

use db::{Done, OrgRead, OrgTx, SystemTx, row, sql};
use types::{EndpointId, OrgId, Timestamp};

row! {
    /// An endpoint, without its secrets.
    #[derive(Debug)]
    pub(crate) struct EndpointRow {
        id: EndpointId, url: String, event_types: Vec<String>, channels: Vec<String>, description: Option<String>,
        sealed_headers: Option<Vec<u8>>, rate_limit: Option<i32>, max_concurrency: i32, enabled: bool,
        disabled_reason: Option<String>, version: i32, created_at: Timestamp, updated_at: Timestamp, failures: i32,
        failing_since: Option<Timestamp>, paused_until: Option<Timestamp>,
    }
}

row! {
    /// An endpoint that attempts were made at; and whether they are the ones that opened its circuit.
    #[derive(Debug)]
    pub(crate) struct HealthRow {
        org_id: OrgId, id: EndpointId, enabled: bool, disabled_reason: Option<String>, failures: i32, circuit_opened: bool,
    }
}

row! {
    /// How many there are.
    #[derive(Debug)]
    pub(crate) struct CountRow { count: i64 }
}

row! {
    /// The scope's own organization.
    #[derive(Debug)]
    pub(crate) struct OrganizationRow { id: OrgId }
}

sql! {
    /// The organization, if a smoke test made it.
    pub fn synthetic(db: OrgRead) -> opt OrganizationRow =
        "SELECT id FROM organizations WHERE id = app_org() AND synthetic";

    /// The endpoint of that id.
    pub fn by_id(db: OrgRead, org: OrgId, id: EndpointId) -> opt EndpointRow =
        "SELECT id, url, event_types, channels, description, sealed_headers, rate_limit, max_concurrency, enabled,
             disabled_reason, version, created_at, updated_at, failures, failing_since, paused_until
         FROM endpoints WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL";

    /// The same, for a change.
    pub fn lock(tx: OrgTx, org: OrgId, id: EndpointId) -> opt EndpointRow =
        "SELECT id, url, event_types, channels, description, sealed_headers, rate_limit, max_concurrency, enabled,
             disabled_reason, version, created_at, updated_at, failures, failing_since, paused_until
         FROM endpoints WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE";

    /// A page, oldest first.
    pub fn list(db: OrgRead, org: OrgId, after: EndpointId, limit: i64) -> all EndpointRow =
        "SELECT id, url, event_types, channels, description, sealed_headers, rate_limit, max_concurrency, enabled,
             disabled_reason, version, created_at, updated_at, failures, failing_since, paused_until
         FROM endpoints WHERE org_id = $1 AND deleted_at IS NULL AND id > $2 ORDER BY id LIMIT $3";

    /// A new endpoint.
    #[expect(clippy::too_many_arguments, reason = "a row's columns")]
    pub fn insert(tx: OrgTx, org: OrgId, id: EndpointId, url: &str, event_types: &[String], channels: &[String],
        description: Option<&str>, headers: Option<&[u8]>, secret: &[u8], rate_limit: Option<i32>, max_concurrency: i32,
        enabled: bool, now: Timestamp) -> one EndpointRow =
        "INSERT INTO endpoints (org_id, id, url, event_types, channels, description, sealed_headers, sealed_secret,
             rate_limit, max_concurrency, enabled, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)
         RETURNING id, url, event_types, channels, description, sealed_headers, rate_limit, max_concurrency, enabled,
             disabled_reason, version, created_at, updated_at, failures, failing_since, paused_until";

    /// What its owner writes; enabling it forgets how it fared.
    #[expect(clippy::too_many_arguments, reason = "a row's columns")]
    pub fn update(tx: OrgTx, org: OrgId, id: EndpointId, url: &str, event_types: &[String], channels: &[String],
        description: Option<&str>, headers: Option<&[u8]>, rate_limit: Option<i32>, max_concurrency: i32, enabled: bool,
        now: Timestamp) -> one EndpointRow =
        "UPDATE endpoints SET url = $3, event_types = $4, channels = $5, description = $6, sealed_headers = $7,
             rate_limit = $8, max_concurrency = $9, enabled = $10, updated_at = $11, version = version + 1,
             disabled_reason = CASE WHEN enabled = $10 THEN disabled_reason END,
             failures = CASE WHEN enabled = $10 AND url = $3 THEN failures ELSE 0 END,
             failing_since = CASE WHEN enabled = $10 AND url = $3 THEN failing_since END,
             paused_until = CASE WHEN enabled = $10 AND url = $3 THEN paused_until END
         WHERE org_id = $1 AND id = $2
         RETURNING id, url, event_types, channels, description, sealed_headers, rate_limit, max_concurrency, enabled,
             disabled_reason, version, created_at, updated_at, failures, failing_since, paused_until";

    /// Another secret; the one of before signs too until then.
    pub fn rotate(tx: OrgTx, org: OrgId, id: EndpointId, secret: &[u8], previous_until: Timestamp, now: Timestamp) -> opt EndpointRow =
        "UPDATE endpoints SET sealed_previous_secret = sealed_secret, previous_secret_until = $4, sealed_secret = $3,
             updated_at = $5, version = version + 1
         WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL
         RETURNING id, url, event_types, channels, description, sealed_headers, rate_limit, max_concurrency, enabled,
             disabled_reason, version, created_at, updated_at, failures, failing_since, paused_until";

    /// It gets nothing any more; its secrets go at once.
    pub fn delete(tx: OrgTx, org: OrgId, id: EndpointId, now: Timestamp) -> exec Done =
        "UPDATE endpoints SET deleted_at = $3, updated_at = $3, version = version + 1, enabled = false,
             sealed_secret = '', sealed_previous_secret = NULL, sealed_headers = NULL
         WHERE org_id = $1 AND id = $2";

    /// How endpoints fared in a batch of attempts: whether one succeeded, failures since then, the time until which the
    /// endpoint asked for quiet, and whether it said that it is gone. An open circuit lets nothing through for as long
    /// as the endpoint has been failing already, from 30 seconds to 10 minutes.
    #[expect(clippy::too_many_arguments, reason = "columns of a batch")]
    pub fn fared(tx: SystemTx, orgs: &[OrgId], ids: &[EndpointId], succeeded: &[bool], failures: &[i32],
        quiet_until: &[Option<Timestamp>], gone: &[bool], now: Timestamp, disable_before: Timestamp, opens_after: i32) -> all HealthRow =
        "WITH batch AS (
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bool[], $4::int[], $5::timestamptz[], $6::bool[])
                 AS b(org_id, id, succeeded, failures, quiet_until, gone)
         ), fares AS (
             SELECT b.org_id, b.id, b.gone, b.quiet_until, e.failures AS failures_before,
                 CASE WHEN b.succeeded THEN b.failures ELSE e.failures + b.failures END AS failures,
                 CASE WHEN b.failures = 0 THEN NULL WHEN b.succeeded THEN $7 ELSE coalesce(e.failing_since, $7) END AS failing_since
             FROM batch b JOIN endpoints e ON e.org_id = b.org_id AND e.id = b.id
             WHERE e.enabled FOR NO KEY UPDATE OF e
         ), judged AS (
             SELECT f.*, f.gone OR coalesce(f.failing_since <= $8, false) AS ends FROM fares f
         )
         UPDATE endpoints e SET failures = j.failures, failing_since = j.failing_since,
             paused_until = greatest(j.quiet_until, CASE WHEN j.failures >= $9 THEN
                 $7 + least(greatest($7 - j.failing_since, interval '30 s'), interval '10 min') END),
             enabled = NOT j.ends,
             disabled_reason = CASE WHEN j.gone THEN 'gone' WHEN j.ends THEN 'failing' END,
             version = CASE WHEN j.ends THEN e.version + 1 ELSE e.version END,
             updated_at = CASE WHEN j.ends THEN $7 ELSE e.updated_at END
         FROM judged j WHERE e.org_id = j.org_id AND e.id = j.id
         RETURNING e.org_id, e.id, e.enabled, e.disabled_reason, e.failures,
             e.enabled AND e.failures >= $9 AND j.failures_before < $9 AS circuit_opened";

    /// Endpoints whose circuits are open. Reads them all: now and then, not at each attempt.
    pub fn circuits_open(tx: SystemTx, opens_after: i32) -> one CountRow =
        "SELECT count(*) AS count FROM endpoints WHERE enabled AND deleted_at IS NULL AND failures >= $1";
}
