//! `analytics_sources`: who may write, and from where.

use db::{Done, OrgRead, OrgTx, SystemTx, row, sql};
use types::{OrgId, SourceId, Timestamp};

row! {
    /// A source.
    #[derive(Debug)]
    pub(crate) struct SourceRow {
        id: SourceId, name: String, write_key: String, allowed_origins: Vec<String>, enabled: bool, version: i32,
        created_at: Timestamp, updated_at: Timestamp,
    }
}

row! {
    /// Whose events come by a write key.
    #[derive(Debug)]
    pub(crate) struct WriterRow { org_id: OrgId, id: SourceId, allowed_origins: Vec<String> }
}

sql! {
    /// The source of a write key that may write.
    pub fn by_write_key(tx: SystemTx, write_key: &str) -> opt WriterRow =
        "SELECT org_id, id, allowed_origins FROM analytics_sources WHERE write_key = $1 AND enabled";

    /// A page by id, which is the order of their making.
    pub fn list(db: OrgRead, org: OrgId, after: SourceId, limit: i64) -> all SourceRow =
        "SELECT id, name, write_key, allowed_origins, enabled, version, created_at, updated_at FROM analytics_sources
         WHERE org_id = $1 AND id > $2 ORDER BY id LIMIT $3";

    /// A new source.
    #[expect(clippy::too_many_arguments, reason = "a row's columns")]
    pub fn insert(tx: OrgTx, org: OrgId, id: SourceId, name: &str, write_key: &str, allowed_origins: &[String], now: Timestamp) -> one SourceRow =
        "INSERT INTO analytics_sources (org_id, id, name, write_key, allowed_origins, enabled, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, true, $6, $6)
         RETURNING id, name, write_key, allowed_origins, enabled, version, created_at, updated_at";

    /// What is NULL stays. None: there is no such source, or another version is current.
    #[expect(clippy::too_many_arguments, reason = "a row's columns")]
    pub fn update(tx: OrgTx, org: OrgId, id: SourceId, version: Option<i64>, name: Option<&str>, allowed_origins: Option<&[String]>,
        enabled: Option<bool>, now: Timestamp) -> opt SourceRow =
        "UPDATE analytics_sources SET name = coalesce($4, name), allowed_origins = coalesce($5, allowed_origins),
         enabled = coalesce($6, enabled), updated_at = $7, version = version + 1
         WHERE org_id = $1 AND id = $2 AND version = coalesce($3::int8, version)
         RETURNING id, name, write_key, allowed_origins, enabled, version, created_at, updated_at";

    /// Whether there is such a source.
    pub fn exists(tx: OrgTx, org: OrgId, id: SourceId) -> opt Done =
        "SELECT FROM analytics_sources WHERE org_id = $1 AND id = $2";

    /// None: there is no such source.
    pub fn delete(tx: OrgTx, org: OrgId, id: SourceId) -> opt Done =
        "DELETE FROM analytics_sources WHERE org_id = $1 AND id = $2 RETURNING id";
}
