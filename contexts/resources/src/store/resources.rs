//! `resources`: documents, each change together with its `resource_values` in one flight.

use db::{OrgRead, OrgTx, row, sql};
use postgres_types::Json;
use serde_json::{Value, value::RawValue};
use types::{OrgId, ResourceId, ResourceTypeId, Timestamp, UserId};

row! {
    /// A resource; its document stays the text that PostgreSQL sent.
    #[derive(Debug)]
    pub(crate) struct ResourceRow {
        id: ResourceId, type_id: ResourceTypeId, document: Json<Box<RawValue>>, version: i64, created_by: UserId,
        created_at: Timestamp, updated_at: Timestamp,
    }
}

row! {
    /// A document to be indexed.
    #[derive(Debug)]
    pub(crate) struct DocumentRow { id: ResourceId, document: Value }
}

row! {
    /// How many there are.
    #[derive(Debug)]
    pub(crate) struct CountRow { count: i64 }
}

row! {
    /// How many there are, and the last.
    #[derive(Debug)]
    pub(crate) struct ExtentRow { count: i64, last: Option<ResourceId> }
}

sql! {
    /// The resource of that id.
    pub fn by_id(db: OrgRead, org: OrgId, id: ResourceId) -> opt ResourceRow =
        "SELECT id, type_id, document, version, created_by, created_at, updated_at FROM resources
         WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL";

    /// The same, for a change.
    pub fn lock(tx: OrgTx, org: OrgId, id: ResourceId) -> opt ResourceRow =
        "SELECT id, type_id, document, version, created_by, created_at, updated_at FROM resources
         WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE";

    /// A page of a type's resources.
    pub fn of_type(db: OrgRead, org: OrgId, of: ResourceTypeId, after: ResourceId, limit: i64) -> all ResourceRow =
        "SELECT id, type_id, document, version, created_by, created_at, updated_at FROM resources
         WHERE org_id = $1 AND type_id = $2 AND deleted_at IS NULL AND id > $3 ORDER BY id LIMIT $4";

    /// The same, newest first.
    pub fn of_type_descending(db: OrgRead, org: OrgId, of: ResourceTypeId, before: ResourceId, limit: i64) -> all ResourceRow =
        "SELECT id, type_id, document, version, created_by, created_at, updated_at FROM resources
         WHERE org_id = $1 AND type_id = $2 AND deleted_at IS NULL AND id < $3 ORDER BY id DESC LIMIT $4";

    /// A page of all resources.
    pub fn of_org(db: OrgRead, org: OrgId, after: ResourceId, limit: i64) -> all ResourceRow =
        "SELECT id, type_id, document, version, created_by, created_at, updated_at FROM resources
         WHERE org_id = $1 AND deleted_at IS NULL AND id > $2 ORDER BY id LIMIT $3";

    /// The same, newest first.
    pub fn of_org_descending(db: OrgRead, org: OrgId, before: ResourceId, limit: i64) -> all ResourceRow =
        "SELECT id, type_id, document, version, created_by, created_at, updated_at FROM resources
         WHERE org_id = $1 AND deleted_at IS NULL AND id < $2 ORDER BY id DESC LIMIT $3";

    /// How many resources the type has, counted up to a limit.
    pub fn count(tx: OrgTx, org: OrgId, of: ResourceTypeId, limit: i64) -> one CountRow =
        "SELECT count(*) AS count FROM
         (SELECT FROM resources WHERE org_id = $1 AND type_id = $2 AND deleted_at IS NULL LIMIT $3) AS counted";

    /// Documents of a type, by id, to be indexed anew.
    pub fn documents(tx: OrgTx, org: OrgId, of: ResourceTypeId, after: ResourceId, limit: i64) -> all DocumentRow =
        "SELECT id, document FROM resources
         WHERE org_id = $1 AND type_id = $2 AND deleted_at IS NULL AND id > $3 ORDER BY id LIMIT $4";

    /// The same up to an id, each kept as it is until the transaction ends.
    pub fn lock_documents(tx: OrgTx, org: OrgId, of: ResourceTypeId, after: ResourceId, last: ResourceId, limit: i64) -> all DocumentRow =
        "SELECT id, document FROM resources
         WHERE org_id = $1 AND type_id = $2 AND deleted_at IS NULL AND id > $3 AND id <= $4 ORDER BY id LIMIT $5
         FOR NO KEY UPDATE";

    /// All resources that a type has.
    pub fn extent(tx: OrgTx, org: OrgId, of: ResourceTypeId) -> one ExtentRow =
        "SELECT count(*) AS count, (SELECT id FROM resources
             WHERE org_id = $1 AND type_id = $2 AND deleted_at IS NULL ORDER BY id DESC LIMIT 1) AS last
         FROM resources WHERE org_id = $1 AND type_id = $2 AND deleted_at IS NULL";

    /// A new resource and its values. None: the type has another version, or is gone.
    /// The lock on the type keeps its declared fields as they are until this has been committed.
    #[expect(clippy::too_many_arguments, reason = "a row's columns")]
    pub fn insert(tx: OrgTx, org: OrgId, id: ResourceId, of: ResourceTypeId, type_version: i32, document: &Value, by: UserId,
        now: Timestamp, fields: &[&str], texts: &[Option<&str>], numbers: &[Option<f64>], times: &[Option<Timestamp>]) -> opt ResourceRow =
        "WITH type AS (
             SELECT id FROM resource_types WHERE org_id = $1 AND id = $3 AND version = $4 AND deleted_at IS NULL FOR SHARE
         ), made AS (
             INSERT INTO resources (org_id, id, type_id, document, created_by, created_at, updated_at)
             SELECT $1, $2, type.id, $5, $6, $7, $7 FROM type
             RETURNING id, type_id, document, version, created_by, created_at, updated_at
         ), indexed AS (
             INSERT INTO resource_values (org_id, type_id, resource_id, field, text_value, number_value, time_value)
             SELECT $1, made.type_id, made.id, v.* FROM made, unnest($8::text[], $9::text[], $10::float8[], $11::timestamptz[]) AS v
         )
         SELECT id, type_id, document, version, created_by, created_at, updated_at FROM made";

    /// Another document and its values. None: the resource or its type has another version by now.
    #[expect(clippy::too_many_arguments, reason = "a row's columns")]
    pub fn update(tx: OrgTx, org: OrgId, id: ResourceId, of: ResourceTypeId, type_version: i32, document: &Value, version: i64,
        now: Timestamp, fields: &[&str], texts: &[Option<&str>], numbers: &[Option<f64>], times: &[Option<Timestamp>]) -> opt ResourceRow =
        "WITH type AS (
             SELECT id FROM resource_types WHERE org_id = $1 AND id = $3 AND version = $4 AND deleted_at IS NULL FOR SHARE
         ), changed AS (
             UPDATE resources r SET document = $5, version = r.version + 1, updated_at = $7 FROM type
             WHERE r.org_id = $1 AND r.id = $2 AND r.type_id = type.id AND r.version = $6 AND r.deleted_at IS NULL
             RETURNING r.id, r.type_id, r.document, r.version, r.created_by, r.created_at, r.updated_at
         ), dropped AS (
             DELETE FROM resource_values v USING changed
             WHERE v.org_id = $1 AND v.resource_id = changed.id AND v.field <> ALL ($8::text[])
         ), indexed AS (
             INSERT INTO resource_values (org_id, type_id, resource_id, field, text_value, number_value, time_value)
             SELECT $1, changed.type_id, changed.id, v.* FROM changed, unnest($8::text[], $9::text[], $10::float8[], $11::timestamptz[]) AS v
             ON CONFLICT (org_id, resource_id, field) DO UPDATE
             SET text_value = excluded.text_value, number_value = excluded.number_value, time_value = excluded.time_value
         )
         SELECT id, type_id, document, version, created_by, created_at, updated_at FROM changed";

    /// The document stays, marked; its values go. None: it is gone, or another version is current.
    pub fn delete(tx: OrgTx, org: OrgId, id: ResourceId, version: Option<i64>, now: Timestamp) -> opt ResourceRow =
        "WITH marked AS (
             UPDATE resources SET deleted_at = $4, updated_at = $4, version = version + 1
             WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL AND version = coalesce($3::int8, version)
             RETURNING id, type_id, document, version, created_by, created_at, updated_at
         ), dropped AS (
             DELETE FROM resource_values v USING marked WHERE v.org_id = $1 AND v.resource_id = marked.id
         )
         SELECT id, type_id, document, version, created_by, created_at, updated_at FROM marked";
}
