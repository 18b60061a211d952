//! A new resource type.

use super::{Refusal, stored};
use crate::{
    Resources,
    model::field::IndexedField,
    store::resource_types::{self, ResourceTypeRow},
};
use api::Caller;
use db::{Constraints, OrgTx};
use events::Kind;
use serde_json::{Value, json};
use types::ResourceTypeId;

pub(crate) async fn run(
    state: &Resources,
    tx: &OrgTx,
    caller: &Caller,
    (name, schema, indexed): (&str, &Value, &[IndexedField]),
) -> Result<ResourceTypeRow, Refusal> {
    let now = state.app.clock.now();
    let id = ResourceTypeId::new(&state.app.rng, now);
    let made = resource_types::insert(tx, caller.org, id, name, schema, &stored(indexed), now).await;
    let row = made.on_constraint("resource_types_name_key", Refusal::NameTaken)?;
    let event = caller.event(Kind::ResourceTypeCreated, &state.app).target(&row.id).data(json!({"name": name}));
    tx.emit(event.into());
    Ok(row)
}
