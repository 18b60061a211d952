//! A new resource: the document is checked, then written with its indexed values in the flight that opens the transaction.

use super::{Columns, Refusal, known_types::KnownType};
use crate::{
    Resources,
    model::document,
    store::resources::{self, ResourceRow},
};
use api::Caller;
use db::OrgTx;
use events::Kind;
use serde_json::{Value, json};
use std::sync::Arc;
use types::ResourceId;

pub(crate) async fn run(
    state: &Resources,
    tx: &OrgTx,
    caller: &Caller,
    (of, document): (&str, &Value),
) -> Result<(ResourceRow, Arc<str>), Refusal> {
    // What is remembered of the type may be out of date; after one look at the database it is not.
    for is_last in [false, true] {
        let known = state.types.by_name(tx, caller.org, of).await?;
        match insert(state, tx, caller, (&known, document)).await {
            Ok(None) => {}
            Err(Refusal::Faults(_)) if !is_last => {}
            Err(refusal) => return Err(refusal),
            Ok(Some(row)) => {
                let data = json!({"type": &*known.name, "version": row.version});
                tx.emit(caller.event(Kind::ResourceCreated, &state.app).target(&row.id).data(data).into());
                return Ok((row, known.name.clone()));
            }
        }
        state.types.forget(caller.org, of);
    }
    Err(Refusal::TypeChanges)
}

async fn insert(
    state: &Resources,
    tx: &OrgTx,
    caller: &Caller,
    (known, document): (&KnownType, &Value),
) -> Result<Option<ResourceRow>, Refusal> {
    let values = document::check(document, &known.schema, &known.indexed).map_err(Refusal::Faults)?;
    let Columns { fields, texts, numbers, times } = Columns::of(&values);
    let (org, user, now) = (caller.org, caller.user, state.app.clock.now());
    let id = ResourceId::new(&state.app.rng, now);
    let made =
        resources::insert(tx, org, id, known.id, known.version, document, user, now, &fields, &texts, &numbers, &times);
    Ok(made.await?)
}
