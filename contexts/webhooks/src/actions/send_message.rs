//! A message of the organization's own to its endpoints: kept, and told by way of the event log.

use super::Refusal;
use crate::{Webhooks, model::payload::Payload, store::messages};
use api::Caller;
use db::OrgTx;
use events::Kind;
use serde_json::{Value, json};
use types::{MessageId, Timestamp};

pub(crate) async fn run(
    state: &Webhooks,
    tx: &OrgTx,
    caller: &Caller,
    (of, data, channels): (&str, &Value, &[String]),
) -> Result<(MessageId, Timestamp), Refusal> {
    let now = state.app.clock.now();
    let id = keep(state, tx, caller, (of, data, channels)).await?;
    tx.emit(caller.event(Kind::MessageCreated, &state.app).target(&id).into());
    Ok((id, now))
}

/// Keeps it without telling anybody.
pub(super) async fn keep(
    state: &Webhooks,
    tx: &OrgTx,
    caller: &Caller,
    (of, data, channels): (&str, &Value, &[String]),
) -> Result<MessageId, Refusal> {
    let now = state.app.clock.now();
    let id = MessageId::new(&state.app.rng, now);
    let (text, actor) = (id.to_string(), json!(caller.actor()));
    let payload = Payload { id: &text, of, timestamp: now, organization_id: caller.org, actor: &actor, data };
    messages::insert(tx, caller.org, id, of, channels, &payload.text(), now).await?;
    Ok(id)
}
