//! A resource is gone for every reader; its row stays, marked.

use super::{Refusal, update_resource::Which};
use crate::{Resources, store::resources};
use api::Caller;
use db::OrgTx;
use events::Kind;
use serde_json::json;

pub(crate) async fn run(state: &Resources, tx: &OrgTx, caller: &Caller, which: Which) -> Result<(), Refusal> {
    let now = state.app.clock.now();
    let Some(row) = resources::delete(tx, caller.org, which.id, which.version, now).await? else {
        let known = resources::by_id(tx, caller.org, which.id).await?;
        return Err(if known.is_some() { Refusal::OtherVersion } else { Refusal::NotFound });
    };
    let name = state.types.name(tx, caller.org, row.type_id).await?;
    let data = json!({"type": &*name, "version": row.version});
    tx.emit(caller.event(Kind::ResourceDeleted, &state.app).target(&row.id).data(data).into());
    Ok(())
}
