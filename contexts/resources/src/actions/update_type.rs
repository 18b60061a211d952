//! Another schema and other declared fields for a type.
//!
//! Documents that exist are not checked against the new schema: they have to fit at their next change. Other declared
//! fields need every document indexed anew: at once when they are few, else by a job. What is written from now on is
//! indexed by the new fields, so the job has only the older documents to do.

use super::{Refusal, index_documents, stored};
use crate::{
    Resources,
    model::{
        Fault,
        declared::{self, DeclaredField, FieldState},
        field::IndexedField,
    },
    store::{
        resource_types::{self, ResourceTypeRow},
        resources,
    },
};
use api::{
    Caller,
    jobs::{self, NewJob},
};
use db::OrgTx;
use events::Kind;
use serde_json::{Value, json};
use types::{JobId, OrgId, Permission, ResourceId, ResourceTypeId, permission::ManageResourceTypes};
use uuid::Uuid;

/// Resources that a request indexes anew before its answer.
const AT_ONCE: i64 = 1_000;
/// A document may have a megabyte.
const BATCH: i64 = 100;
/// More documents that do not fit than these help nobody.
const MAX_FAULTS: usize = 50;

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
    let Update { name, version, schema, indexed: wanted } = update;
    let row = resource_types::lock(tx, caller.org, name).await?.ok_or(Refusal::NotFound)?;
    if i64::from(row.version) != version {
        return Err(Refusal::OtherVersion);
    }
    let mut fields = declared::declare(wanted, &row.indexed.0);
    let job = if declared::is_indexed_by(&row.indexed.0, wanted) {
        row.indexing_job_id
    } else {
        index(state, tx, caller, (&row, &mut fields)).await?
    };
    let now = state.app.clock.now();
    let row = resource_types::update(tx, caller.org, row.id, schema, &stored(&fields), job, now).await?;
    let data = json!({"name": name, "version": row.version});
    tx.emit(caller.event(Kind::ResourceTypeUpdated, &state.app).target(&row.id).data(data).into());
    Ok(row)
}

/// Indexes the documents by these fields, or makes a job that will.
async fn index(
    state: &Resources,
    tx: &OrgTx,
    caller: &Caller,
    (row, fields): (&ResourceTypeRow, &mut [DeclaredField]),
) -> Result<Option<JobId>, Refusal> {
    if let Some(job) = row.indexing_job_id {
        jobs::supersede(&state.app, tx, job, "the type's indexed fields were changed again").await?;
    }
    if resources::count(tx, caller.org, row.id, AT_ONCE + 1).await?.count <= AT_ONCE {
        index_at_once(tx, (caller.org, row.id), fields).await?;
        for field in fields {
            field.state = FieldState::Ready;
        }
        return Ok(None);
    }
    let job = NewJob {
        kind: index_documents::KIND,
        input: json!(index_documents::Input { type_id: row.id }),
        result: Some(format!("/v1/resource-types/{}", row.name)),
        needs: ManageResourceTypes::NAME,
    };
    Ok(Some(jobs::start(&state.app, tx, caller, &job).await?))
}

/// The type is locked: no document changes meanwhile.
async fn index_at_once(
    tx: &OrgTx,
    (org, of): (OrgId, ResourceTypeId),
    fields: &[DeclaredField],
) -> Result<(), Refusal> {
    let mut after = ResourceId(Uuid::nil());
    loop {
        let documents = resources::documents(tx, org, of, after, BATCH).await?;
        let Some(last) = documents.last() else { return Ok(()) };
        after = last.id;
        let unfit = index_documents::write(tx, (org, of), &documents, fields).await?;
        if !unfit.is_empty() {
            return Err(Refusal::Faults(unfit.iter().take(MAX_FAULTS).map(told).collect()));
        }
    }
}

fn told((id, fault): &(ResourceId, Fault)) -> Fault {
    Fault::new("/indexed", "existing_document", format!("{} of {id} {}", fault.pointer, fault.detail))
}
