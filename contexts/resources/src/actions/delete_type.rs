//! A resource type goes when no resource needs it.

use super::Refusal;
use crate::{
    Resources,
    store::{resource_types, resources},
};
use api::{Caller, jobs};
use db::OrgTx;
use events::Kind;
use serde_json::json;

pub(crate) async fn run(state: &Resources, tx: &OrgTx, caller: &Caller, name: &str) -> Result<(), Refusal> {
    let row = resource_types::lock(tx, caller.org, name).await?.ok_or(Refusal::NotFound)?;
    // After the lock, in a snapshot of its own: a resource that was being made is seen now.
    if resources::count(tx, caller.org, row.id, 1).await?.count > 0 {
        return Err(Refusal::TypeInUse);
    }
    if let Some(job) = row.indexing_job_id {
        jobs::supersede(&state.app, tx, job, "the type was deleted").await?;
    }
    resource_types::delete(tx, caller.org, row.id, state.app.clock.now()).await?;
    let event = caller.event(Kind::ResourceTypeDeleted, &state.app).target(&row.id).data(json!({"name": name}));
    tx.emit(event.into());
    Ok(())
}
