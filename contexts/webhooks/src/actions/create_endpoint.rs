//! An endpoint comes to be, with its secret: the only time it is shown but for rotations.

use super::{Refusal, Settings};
use crate::{
    Webhooks,
    model::secret::SigningSecret,
    sealed::{seal_headers, seal_secret},
    store::endpoints::{self, EndpointRow},
};
use api::Caller;
use db::OrgTx;
use events::Kind;
use serde_json::json;
use types::EndpointId;

/// Every event of an organization is matched against all of them.
const MOST: usize = 200;

pub(crate) async fn run(
    state: &Webhooks,
    tx: &OrgTx,
    caller: &Caller,
    settings: Settings,
) -> Result<(EndpointRow, SigningSecret), Refusal> {
    let (app, now) = (&state.app, state.app.clock.now());
    let most = i64::try_from(MOST).unwrap_or(i64::MAX);
    if endpoints::list(tx, caller.org, EndpointId(uuid::Uuid::nil()), most).await?.len() == MOST {
        return Err(Refusal::TooManyEndpoints);
    }
    let id = EndpointId::new(&app.rng, now);
    let secret = SigningSecret::generate(&app.rng);
    let (sealed, headers) = (seal_secret(app, id, &secret), seal_headers(app, id, &settings.headers));
    let Settings { url, event_types, channels, description, rate_limit, max_concurrency, enabled, .. } = &settings;
    let row = endpoints::insert(
        tx,
        caller.org,
        id,
        url,
        event_types,
        channels,
        description.as_deref(),
        headers.as_deref(),
        &sealed,
        *rate_limit,
        *max_concurrency,
        *enabled,
        now,
    );
    let row = row.await?;
    tx.emit(caller.event(Kind::EndpointCreated, app).target(&id).data(json!({ "version": row.version })).into());
    Ok((row, secret))
}
