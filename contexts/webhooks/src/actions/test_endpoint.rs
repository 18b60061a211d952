//! A message to one endpoint alone, to see whether it gets there.

use super::{Refusal, send_message};
use crate::{
    Webhooks,
    model::event_type::TEST,
    store::{
        deliveries::{self, DeliveryRow},
        delivery_queue, endpoints,
    },
};
use api::Caller;
use db::OrgTx;
use serde_json::json;
use types::{DeliveryId, EndpointId};

pub(crate) async fn run(state: &Webhooks, tx: &OrgTx, caller: &Caller, id: EndpointId) -> Result<DeliveryRow, Refusal> {
    let endpoint = endpoints::by_id(tx, caller.org, id).await?.ok_or(Refusal::NotFound)?;
    if !endpoint.enabled {
        return Err(Refusal::Disabled);
    }
    let data = json!({ "endpoint_id": id });
    let message = send_message::keep(state, tx, caller, (TEST, &data, &[])).await?;
    let now = state.app.clock.now();
    let delivery = DeliveryId::new(&state.app.rng, now);
    delivery_queue::insert(tx, caller.org, delivery, id, message, now).await?;
    deliveries::by_id(tx, caller.org, delivery).await?.ok_or(Refusal::NotFound)
}
