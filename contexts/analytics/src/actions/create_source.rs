//! A new source, with a write key of its own.

use crate::{
    Analytics,
    model::write_key,
    store::sources::{self, SourceRow},
};
use api::Caller;
use db::{DbResult, OrgTx};
use events::Kind;
use serde_json::json;
use types::SourceId;

pub(crate) async fn run(
    state: &Analytics,
    tx: &OrgTx,
    caller: &Caller,
    (name, allowed_origins): (&str, &[String]),
) -> DbResult<SourceRow> {
    let now = state.app.clock.now();
    let (id, key) = (SourceId::new(&state.app.rng, now), write_key::new(&state.app.rng));
    let row = sources::insert(tx, caller.org, id, name, &key, allowed_origins, now).await?;
    let event = caller.event(Kind::AnalyticsSourceCreated, &state.app).target(&row.id).data(json!({ "name": name }));
    tx.emit(event.into());
    Ok(row)
}
