//! Webhooks: endpoints, what is told to them, and the dispatcher that tells it.
//!
//! Front door: [`Webhooks`] as the state, [`routes`], [`jobs`] to run beside them, [`erase`] for upkeep.

mod actions;
mod dispatch;
mod fan_out;
mod model;
mod routes;
mod sealed;
mod store;

pub use actions::erase::run as erase;
pub use dispatch::Lookup;
pub use model::target::Rules;
pub use routes::routes;
pub use store::STATEMENTS;

use api::App;
use axum::extract::FromRef;
use dispatch::Dispatcher;
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// From the start of a request until the last byte of its response that is read, in production.
const DEADLINE: Duration = Duration::from_secs(15);

/// How deliveries are sent.
#[derive(Clone)]
pub struct Delivery {
    /// What may be reached besides public hosts over HTTPS.
    pub rules: Rules,
    /// Who says which addresses a name has; they are checked whoever says them.
    pub lookup: Lookup,
    /// From the start of a request until the last byte of its response that is read.
    pub deadline: Duration,
}

impl Default for Delivery {
    /// As in production.
    fn default() -> Self {
        Self { rules: Rules::default(), lookup: Lookup::system(), deadline: DEADLINE }
    }
}

/// The state of this context; a clone is the same one.
#[derive(Clone)]
pub struct Webhooks {
    app: App,
    rules: Rules,
    dispatcher: Dispatcher,
    /// Wakes the dispatcher of this process: something is due.
    due: Arc<Notify>,
}

impl Webhooks {
    /// From its parts.
    pub fn new(app: App, delivery: Delivery) -> Self {
        let due = Arc::<Notify>::default();
        let rules = delivery.rules.clone();
        let dispatcher = Dispatcher::new(app.clone(), delivery, Arc::clone(&due));
        Self { app, rules, dispatcher, due }
    }
}

impl FromRef<Webhooks> for App {
    fn from_ref(webhooks: &Webhooks) -> Self {
        webhooks.app.clone()
    }
}

/// What runs beside the routes until told to stop: the consumer that turns events into deliveries, and the dispatcher.
pub async fn jobs(webhooks: Webhooks, stop: CancellationToken) {
    let fan_out = fan_out::run(&webhooks, &stop);
    tokio::join!(fan_out, webhooks.dispatcher.run(&stop));
}
