//! A delivery is tried again now: one that waits at once, a finished one by another delivery of the same message.

use super::Refusal;
use crate::{
    Webhooks,
    store::{
        deliveries::{self, DeliveryRow},
        delivery_queue, endpoints,
    },
};
use api::Caller;
use db::OrgTx;
use types::DeliveryId;

pub(crate) async fn run(state: &Webhooks, tx: &OrgTx, caller: &Caller, id: DeliveryId) -> Result<DeliveryRow, Refusal> {
    let (org, now) = (caller.org, state.app.clock.now());
    let found = deliveries::by_id(tx, org, id).await?.ok_or(Refusal::NotFound)?;
    let endpoint = endpoints::by_id(tx, org, found.endpoint_id).await?.ok_or(Refusal::NotFound)?;
    if !endpoint.enabled {
        return Err(Refusal::Disabled);
    }
    if found.of.is_none() {
        return Err(Refusal::MessageGone);
    }
    let again = if let Some(waiting) = delivery_queue::hasten(tx, org, id, now).await? {
        waiting.id
    } else {
        let again = DeliveryId::new(&state.app.rng, now);
        delivery_queue::insert(tx, org, again, found.endpoint_id, found.message_id, now).await?;
        again
    };
    deliveries::by_id(tx, org, again).await?.ok_or(Refusal::NotFound)
}
