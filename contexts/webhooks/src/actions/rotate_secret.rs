//! Another signing secret; the one of before signs too for a while, so that receivers can change without a gap.

use super::Refusal;
use crate::{
    Webhooks,
    model::secret::SigningSecret,
    sealed::seal_secret,
    store::endpoints::{self, EndpointRow},
};
use api::Caller;
use db::OrgTx;
use events::Kind;
use serde_json::json;
use std::time::Duration;
use types::EndpointId;

pub(crate) async fn run(
    state: &Webhooks,
    tx: &OrgTx,
    caller: &Caller,
    id: EndpointId,
    overlap: Duration,
) -> Result<(EndpointRow, SigningSecret), Refusal> {
    let (app, now) = (&state.app, state.app.clock.now());
    let secret = SigningSecret::generate(&app.rng);
    let row = endpoints::rotate(tx, caller.org, id, &seal_secret(app, id, &secret), now.plus(overlap), now).await?;
    let row = row.ok_or(Refusal::NotFound)?;
    tx.emit(caller.event(Kind::EndpointSecretRotated, app).target(&id).data(json!({ "version": row.version })).into());
    Ok((row, secret))
}
