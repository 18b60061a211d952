//! Another document for a resource, whole or by JSON Merge Patch.

use super::{Columns, Refusal, known_types::KnownType};
use crate::{
    Resources,
    model::document,
    store::resources::{self, ResourceRow},
};
use api::Caller;
use db::OrgTx;
use events::Kind;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use types::ResourceId;

/// What the document becomes.
#[derive(Clone)]
pub(crate) enum Change {
    /// This.
    Replace(Map<String, Value>),
    /// What it was, merged with this (RFC 7396).
    Merge(Map<String, Value>),
}

/// Which resource, and which version must be current, if any.
#[derive(Clone, Copy)]
pub(crate) struct Which {
    pub(crate) id: ResourceId,
    pub(crate) version: Option<i64>,
}

pub(crate) async fn run(
    state: &Resources,
    tx: &OrgTx,
    caller: &Caller,
    (which, change): (Which, Change),
) -> Result<(ResourceRow, Arc<str>), Refusal> {
    let row = resources::lock(tx, caller.org, which.id).await?.ok_or(Refusal::NotFound)?;
    if which.version.is_some_and(|version| version != row.version) {
        return Err(Refusal::OtherVersion);
    }
    let document = changed(&row, change);
    // What is remembered of the type may be out of date; after one look at the database it is not.
    for is_last in [false, true] {
        let known = state.types.by_id(tx, caller.org, row.type_id).await?;
        match update(state, tx, caller, (&known, &row, &document)).await {
            Ok(None) => {}
            Err(Refusal::Faults(_)) if !is_last => {}
            Err(refusal) => return Err(refusal),
            Ok(Some(row)) => {
                let data = json!({"type": &*known.name, "version": row.version});
                tx.emit(caller.event(Kind::ResourceUpdated, &state.app).target(&row.id).data(data).into());
                return Ok((row, known.name.clone()));
            }
        }
        state.types.forget(caller.org, &known.name);
    }
    Err(Refusal::TypeChanges)
}

fn changed(row: &ResourceRow, change: Change) -> Value {
    match change {
        Change::Replace(document) => Value::Object(document),
        Change::Merge(patch) => {
            // Every stored document is an object.
            let mut document = serde_json::from_str(row.document.0.get()).unwrap_or_default();
            document::merge(&mut document, patch);
            Value::Object(document)
        }
    }
}

async fn update(
    state: &Resources,
    tx: &OrgTx,
    caller: &Caller,
    (known, row, document): (&KnownType, &ResourceRow, &Value),
) -> Result<Option<ResourceRow>, Refusal> {
    let values = document::check(document, &known.schema, &known.indexed).map_err(Refusal::Faults)?;
    let Columns { fields, texts, numbers, times } = Columns::of(&values);
    let (org, now) = (caller.org, state.app.clock.now());
    let changed = resources::update(
        tx,
        org,
        row.id,
        known.id,
        known.version,
        document,
        row.version,
        now,
        &fields,
        &texts,
        &numbers,
        &times,
    );
    Ok(changed.await?)
}
