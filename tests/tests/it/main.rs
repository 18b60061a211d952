//! The platform from the outside: black box, over HTTP, on a real database.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod analytics_clients;
mod analytics_outage;
mod audit;
mod conventions;
mod every_operation;
mod foreign;
mod isolation;
mod outage;
mod resources;
mod sign_in;
mod smoke;
mod statements;
mod webhooks;
mod webhooks_clients;
mod webhooks_endurance;
mod webhooks_fairness;
mod webhooks_isolation;
mod webhooks_names;
mod webhooks_outage;
mod webhooks_retries;
mod webhooks_slots;
