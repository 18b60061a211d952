//! Indexing a type's documents anew, by the fields that it declares now.
//!
//! As a job, in the order of ids, up to the last document that there was when the job began: whoever writes one later
//! writes its values too. Every lock is taken in one order, the type, the job, the documents: who changes the type waits
//! for the batch, who changes a document waits for it or is waited for, and nobody waits in a circle.

use super::{Columns, stored};
use crate::{
    model::{
        Fault,
        declared::{DeclaredField, FieldState},
    },
    store::{
        resource_types::{self, ResourceTypeRow},
        resource_values,
        resources::{self, DocumentRow, ExtentRow},
    },
};
use api::{
    App,
    jobs::{Held, JobError, Next, Progress, SavedRow, StepError},
};
use db::{DbResult, OrgTx};
use serde::{Deserialize, Serialize};
use serde_json::json;
use types::{OrgId, ResourceId, ResourceTypeId};
use uuid::Uuid;

/// What the job is called.
pub(crate) const KIND: &str = "index_resources";
/// Documents of a step, read so many at a time: each may have a megabyte.
const READS: usize = 5;
const READ: i64 = 100;

/// What the job is given.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Input {
    pub(crate) type_id: ResourceTypeId,
}

/// Where the next step goes on, and where the last one ends.
#[derive(Debug, Serialize, Deserialize)]
struct Position {
    after: ResourceId,
    last: ResourceId,
}

/// Counts, or indexes a batch, or says that all is done.
pub(crate) async fn step(app: &App, held: &Held) -> Result<Next, StepError> {
    let Input { type_id } = Input::deserialize(&held.input)?;
    let tx = app.db.begin(held.org).await?;
    let Some(row) = resource_types::keep(&tx, held.org, type_id, held.id).await? else { return Ok(Next::Ended) };
    let Some(saved) = held.lock(&tx).await? else { return Ok(Next::Ended) };
    let position = saved.position.as_ref().map(Position::deserialize).transpose()?;
    let progress = match position {
        None => begin(&tx, held.org, type_id).await?,
        Some(position) if position.after < position.last => batch(&tx, held.org, &row, position).await?,
        Some(_) => {
            drop(tx);
            return end(app, held, type_id).await;
        }
    };
    held.save(&tx, &saved, &progress).await?;
    tx.commit().await?;
    Ok(Next::More)
}

async fn begin(tx: &OrgTx, org: OrgId, of: ResourceTypeId) -> DbResult<Progress> {
    let ExtentRow { count, last } = resources::extent(tx, org, of).await?;
    let after = ResourceId(Uuid::nil());
    let position = json!(Position { after, last: last.unwrap_or(after) });
    Ok(Progress { position, total: Some(count), done: 0, errors: vec![] })
}

async fn batch(tx: &OrgTx, org: OrgId, of: &ResourceTypeRow, position: Position) -> DbResult<Progress> {
    let Position { mut after, last } = position;
    let (mut done, mut errors) = (0, vec![]);
    for _ in 0..READS {
        let documents = resources::lock_documents(tx, org, of.id, after, last, READ).await?;
        after = documents.last().map_or(last, |document| document.id);
        done += documents.len();
        errors.extend(write(tx, (org, of.id), &documents, &of.indexed.0).await?.into_iter().map(error));
    }
    Ok(Progress { position: json!(Position { after, last }), total: None, done, errors })
}

/// In a transaction of its own, which begins with the stronger lock: who already has the weaker one may have to wait for
/// somebody who waits for it.
async fn end(app: &App, held: &Held, of: ResourceTypeId) -> Result<Next, StepError> {
    let tx = app.db.begin(held.org).await?;
    let Some(row) = resource_types::lock_indexed(&tx, held.org, of, held.id).await? else { return Ok(Next::Ended) };
    let Some(saved) = held.lock(&tx).await? else { return Ok(Next::Ended) };
    let SavedRow { error_count, .. } = saved;
    let (state, job) =
        if error_count == 0 { (FieldState::Ready, None) } else { (FieldState::Failed, row.indexing_job_id) };
    let mut fields = row.indexed.0;
    fields.iter_mut().filter(|field| field.state == FieldState::Building).for_each(|field| field.state = state);
    resource_types::set_indexed(&tx, held.org, of, &stored(&fields), job).await?;
    held.finish(app, &tx, &saved).await?;
    tx.commit().await?;
    Ok(Next::Ended)
}

/// Replaces the documents' values. What does not fit a field gets no value there, and is told.
pub(super) async fn write(
    tx: &OrgTx,
    (org, of): (OrgId, ResourceTypeId),
    documents: &[DocumentRow],
    fields: &[DeclaredField],
) -> DbResult<Vec<(ResourceId, Fault)>> {
    let (mut values, mut unfit) = (vec![], vec![]);
    for document in documents {
        for field in fields {
            match field.value_in(&document.document) {
                Ok(value) => values.extend(value.map(|value| (document.id, &*field.field, value))),
                Err(fault) => unfit.push((document.id, fault)),
            }
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
    resource_values::insert(tx, org, of, &ids, &fields, &texts, &numbers, &times).await?;
    Ok(unfit)
}

fn error((id, fault): (ResourceId, Fault)) -> JobError {
    let Fault { pointer, code, detail } = fault;
    JobError { item: Some(id.to_string()), pointer: Some(pointer), code, detail }
}
