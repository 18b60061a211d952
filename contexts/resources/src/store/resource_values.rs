//! `resource_values`: the declared fields in plain columns, because only leakproof operators use an index under row level
//! security.
//!
//! Lists ask for what lies between two keys (value, id), which an index scan answers in order. A value may outlive its
//! resource by a race between deleting it and indexing its type anew, hence `deleted_at IS NULL` here too.

use super::resources::ResourceRow;
use crate::model::{
    field::Value,
    list::{List, Order, Range},
};
use db::{DbResult, Done, OrgRead, OrgTx, sql};
use types::{OrgId, ResourceId, ResourceTypeId, Timestamp};

sql! {
    /// Of these resources, every value.
    pub fn delete(tx: OrgTx, org: OrgId, ids: &[ResourceId]) -> exec Done =
        "DELETE FROM resource_values WHERE org_id = $1 AND resource_id = ANY ($2)";

    /// Values of many resources, as columns.
    #[expect(clippy::too_many_arguments, reason = "a row's columns")]
    pub fn insert(tx: OrgTx, org: OrgId, of: ResourceTypeId, ids: &[ResourceId], fields: &[&str], texts: &[Option<&str>],
        numbers: &[Option<f64>], times: &[Option<Timestamp>]) -> exec Done =
        "INSERT INTO resource_values (org_id, type_id, resource_id, field, text_value, number_value, time_value)
         SELECT $1, $2, v.* FROM unnest($3::uuid[], $4::text[], $5::text[], $6::float8[], $7::timestamptz[]) AS v";
}

/// `resource_values` by an index, `resources` by its primary key. Nothing, unless the type has the version that the list
/// was made for: with another, its values may be those of other fields, or not all there.
/// In the order of values, a cursor is one of the two keys; in the order of ids, it is two conditions of its own.
macro_rules! between { ($column:literal, $rest:literal) => { concat!(
    "SELECT r.id, r.type_id, r.document, r.version, r.created_by, r.created_at, r.updated_at, v.", $column, " AS value
     FROM resource_values v JOIN resources r ON r.org_id = v.org_id AND r.id = v.resource_id AND r.deleted_at IS NULL
     WHERE v.org_id = $1 AND v.type_id = $2 AND v.field = $4 AND v.", $column, " IS NOT NULL
     AND (v.", $column, ", v.resource_id) > ($5, $6) AND (v.", $column, ", v.resource_id) < ($7, $8)
     AND EXISTS (SELECT FROM resource_types WHERE org_id = $1 AND id = $2 AND version = $3) ", $rest
) } }

/// One of the three columns with its four orders.
macro_rules! column { ($module:ident, $variant:ident, $ty:ty, $param:ty, $column:literal) => {
    pub(crate) mod $module {
        use super::{DbResult, List, Order, Range, ResourceRow, Value};
        use db::{OrgRead, row, sql};
        use postgres_types::Json;
        use serde_json::value::RawValue;
        use types::{OrgId, ResourceId, ResourceTypeId, Timestamp, UserId};

        row! {
            /// A resource with the value by which it was found.
            #[derive(Debug)]
            pub(crate) struct FoundRow {
                id: ResourceId, type_id: ResourceTypeId, document: Json<Box<RawValue>>, version: i64, created_by: UserId,
                created_at: Timestamp, updated_at: Timestamp, value: $ty,
            }
        }

        sql! {
            /// In the order of values.
            #[expect(clippy::too_many_arguments, reason = "two keys")]
            pub fn ascending(db: OrgRead, org: OrgId, of: ResourceTypeId, version: i32, field: &str, low: $param, low_id: ResourceId,
                high: $param, high_id: ResourceId, limit: i64) -> all FoundRow =
                between!($column, "ORDER BY value, v.resource_id LIMIT $9");

            /// The other way.
            #[expect(clippy::too_many_arguments, reason = "two keys")]
            pub fn descending(db: OrgRead, org: OrgId, of: ResourceTypeId, version: i32, field: &str, low: $param, low_id: ResourceId,
                high: $param, high_id: ResourceId, limit: i64) -> all FoundRow =
                between!($column, "ORDER BY value DESC, v.resource_id DESC LIMIT $9");

            /// In the order of ids.
            #[expect(clippy::too_many_arguments, reason = "two keys and two ids")]
            pub fn by_id(db: OrgRead, org: OrgId, of: ResourceTypeId, version: i32, field: &str, low: $param, low_id: ResourceId,
                high: $param, high_id: ResourceId, after: ResourceId, before: ResourceId, limit: i64) -> all FoundRow =
                between!($column, "AND v.resource_id > $9 AND v.resource_id < $10 ORDER BY v.resource_id LIMIT $11");

            /// The other way.
            #[expect(clippy::too_many_arguments, reason = "two keys and two ids")]
            pub fn by_id_descending(db: OrgRead, org: OrgId, of: ResourceTypeId, version: i32, field: &str, low: $param, low_id: ResourceId,
                high: $param, high_id: ResourceId, after: ResourceId, before: ResourceId, limit: i64) -> all FoundRow =
                between!($column, "AND v.resource_id > $9 AND v.resource_id < $10 ORDER BY v.resource_id DESC LIMIT $11");
        }

        pub(super) async fn list(
            db: &OrgRead, (of, version): (ResourceTypeId, i32), field: &str, range: &Range, list: &List, limit: i64,
        ) -> DbResult<Vec<(ResourceRow, Option<Value>)>> {
            let (Value::$variant(low), Value::$variant(high)) = (&range.low.value, &range.high.value) else {
                return Ok(vec![]);
            };
            let (org, low_id, high_id, after, before) = (db.org(), range.low.id, range.high.id, list.after, list.before);
            let rows = match (list.order, list.descending) {
                (Order::Field, false) => ascending(db, org, of, version, field, low, low_id, high, high_id, limit).await,
                (Order::Field, true) => descending(db, org, of, version, field, low, low_id, high, high_id, limit).await,
                (Order::Id, false) => by_id(db, org, of, version, field, low, low_id, high, high_id, after, before, limit).await,
                (Order::Id, true) => by_id_descending(db, org, of, version, field, low, low_id, high, high_id, after, before, limit).await,
            }?;
            Ok(rows.into_iter().map(FoundRow::split).collect())
        }

        impl FoundRow {
            fn split(self) -> (ResourceRow, Option<Value>) {
                let Self { id, type_id, document, version, created_by, created_at, updated_at, value } = self;
                let row = ResourceRow { id, type_id, document, version, created_by, created_at, updated_at };
                (row, Some(Value::$variant(value)))
            }
        }
    }
} }

column!(text, Text, String, &str, "text_value");
column!(number, Number, f64, &f64, "number_value");
column!(time, Time, Timestamp, &Timestamp, "time_value");

/// A page of a type's resources, each with the value that it was ordered by.
pub(crate) async fn list(
    db: &OrgRead,
    (of, version): (ResourceTypeId, i32),
    list: &List,
    limit: i64,
) -> DbResult<Vec<(ResourceRow, Option<Value>)>> {
    let Some((field, range)) = &list.field else {
        let rows = if list.descending {
            super::resources::of_type_descending(db, db.org(), of, list.before, limit).await?
        } else {
            super::resources::of_type(db, db.org(), of, list.after, limit).await?
        };
        return Ok(rows.into_iter().map(|row| (row, None)).collect());
    };
    match range.low.value {
        Value::Text(_) => text::list(db, (of, version), field, range, list, limit).await,
        Value::Number(_) => number::list(db, (of, version), field, range, list, limit).await,
        Value::Time(_) => time::list(db, (of, version), field, range, list, limit).await,
    }
}
