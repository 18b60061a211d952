//! A new resource type.

use super::{Refusal, stored};
use crate::{
    Resources,
    model::{
        declared::{DeclaredField, FieldState},
        field::IndexedField,
    },
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
    // There is no document yet.
    let fields: Vec<_> = indexed.iter().map(|field| DeclaredField::new(field, FieldState::Ready)).collect();
    let made = resource_types::insert(tx, caller.org, id, name, schema, &stored(&fields), now).await;
    let row = made.on_constraint("resource_types_name_key", Refusal::NameTaken)?;
    let event = caller.event(Kind::ResourceTypeCreated, &state.app).target(&row.id).data(json!({"name": name}));
    tx.emit(event.into());
    Ok(row)
}
