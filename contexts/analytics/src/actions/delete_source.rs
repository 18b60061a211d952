//! A source goes; its events stay.

use crate::{Analytics, store::sources};
use api::Caller;
use db::{DbResult, OrgTx};
use events::Kind;
use types::SourceId;

/// Whether there was one.
pub(crate) async fn run(state: &Analytics, tx: &OrgTx, caller: &Caller, id: SourceId) -> DbResult<bool> {
    let found = sources::delete(tx, caller.org, id).await?.is_some();
    if found {
        tx.emit(caller.event(Kind::AnalyticsSourceDeleted, &state.app).target(&id).into());
    }
    Ok(found)
}
