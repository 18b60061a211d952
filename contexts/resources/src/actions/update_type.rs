//! Another schema and other declared fields for a type.
//!
//! Documents that exist are not checked against the new schema: they have to fit at their next change. Other declared
//! fields need every document indexed anew, which happens here, so it is refused for more than [`MAX_INDEXED`] resources.

use super::{Columns, Refusal, stored};
use crate::{
    Resources,
    model::{Fault, field::IndexedField},
    store::{
        resource_types::{self, ResourceTypeRow},
        resource_values,
        resources::{self, DocumentRow},
    },
};
use api::Caller;
use db::OrgTx;
use events::Kind;
use serde_json::{Value, json};
use types::{OrgId, ResourceId, ResourceTypeId};
use uuid::Uuid;

/// Resources that one request indexes anew.
pub(crate) const MAX_INDEXED: i64 = 10_000;
/// A document may have a megabyte.
const BATCH: i64 = 100;

/// What the type becomes, and which version must be current.
pub(crate) struct Update<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: i64,
    pub(crate) schema: &'a Value,
    pub(crate) indexed: &'a [IndexedField],
}

pub(crate) async fn run(
    state: &Resources,
    tx: &OrgTx,
    caller: &Caller,
    update: Update<'_>,
) -> Result<ResourceTypeRow, Refusal> {
    let Update { name, version, schema, indexed } = update;
    let row = resource_types::lock(tx, caller.org, name).await?.ok_or(Refusal::NotFound)?;
    if i64::from(row.version) != version {
        return Err(Refusal::OtherVersion);
    }
    if row.indexed.0 != indexed {
        index(tx, caller.org, row.id, indexed).await?;
    }
    let now = state.app.clock.now();
    let row = resource_types::update(tx, caller.org, row.id, schema, &stored(indexed), now).await?;
    let data = json!({"name": name, "version": row.version});
    tx.emit(caller.event(Kind::ResourceTypeUpdated, &state.app).target(&row.id).data(data).into());
    Ok(row)
}

async fn index(tx: &OrgTx, org: OrgId, of: ResourceTypeId, indexed: &[IndexedField]) -> Result<(), Refusal> {
    if resources::count(tx, org, of, MAX_INDEXED + 1).await?.count > MAX_INDEXED {
        return Err(Refusal::TooManyToIndex);
    }
    let mut after = ResourceId(Uuid::nil());
    loop {
        let documents = resources::documents(tx, org, of, after, BATCH).await?;
        let Some(last) = documents.last() else { return Ok(()) };
        after = last.id;
        write(tx, (org, of), &documents, indexed).await?;
    }
}

async fn write(
    tx: &OrgTx,
    (org, of): (OrgId, ResourceTypeId),
    documents: &[DocumentRow],
    indexed: &[IndexedField],
) -> Result<(), Refusal> {
    let mut values = vec![];
    for document in documents {
        for field in indexed {
            let value = field.value_in(&document.document).map_err(|fault| unfit(document.id, &fault))?;
            values.extend(value.map(|value| (document.id, &*field.field, value)));
        }
    }
    let ids: Vec<_> = documents.iter().map(|document| document.id).collect();
    resource_values::delete(tx, org, &ids).await?;
    let ids: Vec<_> = values.iter().map(|(id, ..)| *id).collect();
    let mut columns = Columns::default();
    for (_, field, value) in &values {
        columns.push(field, value);
    }
    let Columns { fields, texts, numbers, times } = columns;
    Ok(resource_values::insert(tx, org, of, &ids, &fields, &texts, &numbers, &times).await?)
}

fn unfit(id: ResourceId, fault: &Fault) -> Refusal {
    let detail = format!("{} of {id} {}", fault.pointer, fault.detail);
    Refusal::Faults(vec![Fault::new("/indexed", "existing_document", detail)])
}
