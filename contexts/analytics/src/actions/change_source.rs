//! Another name, other origins, on or off.

use crate::{
    Analytics,
    store::sources::{self, SourceRow},
};
use api::Caller;
use db::{DbError, OrgTx};
use events::Kind;
use serde_json::json;
use types::SourceId;

/// What is None stays.
pub(crate) struct Change<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) allowed_origins: Option<&'a [String]>,
    pub(crate) enabled: Option<bool>,
}

/// Why nothing changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    #[error("there is no such source")]
    NotFound,
    #[error("another version is current")]
    OtherVersion,
    #[error(transparent)]
    Database(#[from] DbError),
}

pub(crate) async fn run(
    state: &Analytics,
    tx: &OrgTx,
    caller: &Caller,
    (id, version): (SourceId, Option<i64>),
    change: Change<'_>,
) -> Result<SourceRow, ChangeError> {
    let (org, now) = (caller.org, state.app.clock.now());
    let Change { name, allowed_origins, enabled } = change;
    let Some(row) = sources::update(tx, org, id, version, name, allowed_origins, enabled, now).await? else {
        let exists = sources::exists(tx, org, id).await?.is_some();
        return Err(if exists { ChangeError::OtherVersion } else { ChangeError::NotFound });
    };
    let data = json!({ "name": row.name, "enabled": row.enabled });
    tx.emit(caller.event(Kind::AnalyticsSourceUpdated, &state.app).target(&row.id).data(data).into());
    Ok(row)
}
