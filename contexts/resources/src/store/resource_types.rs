//! `resource_types`: a name, a schema, the declared fields, a version.

use crate::model::declared::DeclaredField;
use db::{Done, OrgRead, OrgTx, row, sql};
use postgres_types::Json;
use serde_json::Value;
use types::{JobId, OrgId, ResourceTypeId, Timestamp};

row! {
    /// A type.
    #[derive(Debug)]
    pub(crate) struct ResourceTypeRow {
        id: ResourceTypeId, name: String, schema: Value, indexed: Json<Vec<DeclaredField>>,
        indexing_job_id: Option<JobId>, version: i32, created_at: Timestamp, updated_at: Timestamp,
    }
}

sql! {
    /// The type of that name.
    pub fn by_name(db: OrgRead, org: OrgId, name: &str) -> opt ResourceTypeRow =
        "SELECT id, name, schema, indexed, indexing_job_id, version, created_at, updated_at FROM resource_types
         WHERE org_id = $1 AND name = $2 AND deleted_at IS NULL";

    /// The type of that id.
    pub fn by_id(db: OrgRead, org: OrgId, id: ResourceTypeId) -> opt ResourceTypeRow =
        "SELECT id, name, schema, indexed, indexing_job_id, version, created_at, updated_at FROM resource_types
         WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL";

    /// A page by name.
    pub fn list(db: OrgRead, org: OrgId, after: &str, limit: i64) -> all ResourceTypeRow =
        "SELECT id, name, schema, indexed, indexing_job_id, version, created_at, updated_at FROM resource_types
         WHERE org_id = $1 AND deleted_at IS NULL AND name > $2 ORDER BY name LIMIT $3";

    /// The type of that name, for a change: nobody creates or changes its resources until the transaction ends.
    pub fn lock(tx: OrgTx, org: OrgId, name: &str) -> opt ResourceTypeRow =
        "SELECT id, name, schema, indexed, indexing_job_id, version, created_at, updated_at FROM resource_types
         WHERE org_id = $1 AND name = $2 AND deleted_at IS NULL FOR UPDATE";

    /// A new type.
    #[expect(clippy::too_many_arguments, reason = "a row's columns")]
    pub fn insert(tx: OrgTx, org: OrgId, id: ResourceTypeId, name: &str, schema: &Value, indexed: &Value, now: Timestamp) -> one ResourceTypeRow =
        "INSERT INTO resource_types (org_id, id, name, schema, indexed, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)
         RETURNING id, name, schema, indexed, indexing_job_id, version, created_at, updated_at";

    /// The type whose fields the job indexes, with its definition kept as it is until the transaction ends. None: it
    /// has another definition by now, or is gone.
    pub fn keep(tx: OrgTx, org: OrgId, id: ResourceTypeId, job: JobId) -> opt ResourceTypeRow =
        "SELECT id, name, schema, indexed, indexing_job_id, version, created_at, updated_at FROM resource_types
         WHERE org_id = $1 AND id = $2 AND indexing_job_id = $3 AND deleted_at IS NULL FOR SHARE";

    /// The same, to say what became of its fields: nobody creates or changes its resources until the transaction ends.
    pub fn lock_indexed(tx: OrgTx, org: OrgId, id: ResourceTypeId, job: JobId) -> opt ResourceTypeRow =
        "SELECT id, name, schema, indexed, indexing_job_id, version, created_at, updated_at FROM resource_types
         WHERE org_id = $1 AND id = $2 AND indexing_job_id = $3 AND deleted_at IS NULL FOR NO KEY UPDATE";

    /// What became of its fields, which is no new version: what a client wrote is as it was.
    pub fn set_indexed(tx: OrgTx, org: OrgId, id: ResourceTypeId, indexed: &Value, job: Option<JobId>) -> exec Done =
        "UPDATE resource_types SET indexed = $3, indexing_job_id = $4 WHERE org_id = $1 AND id = $2";

    /// Another schema and other fields.
    #[expect(clippy::too_many_arguments, reason = "a row's columns")]
    pub fn update(tx: OrgTx, org: OrgId, id: ResourceTypeId, schema: &Value, indexed: &Value, job: Option<JobId>,
        now: Timestamp) -> one ResourceTypeRow =
        "UPDATE resource_types SET schema = $3, indexed = $4, indexing_job_id = $5, updated_at = $6, version = version + 1
         WHERE org_id = $1 AND id = $2
         RETURNING id, name, schema, indexed, indexing_job_id, version, created_at, updated_at";

    /// The name is free again.
    pub fn delete(tx: OrgTx, org: OrgId, id: ResourceTypeId, now: Timestamp) -> exec Done =
        "UPDATE resource_types SET deleted_at = $3, updated_at = $3, version = version + 1 WHERE org_id = $1 AND id = $2";
}
