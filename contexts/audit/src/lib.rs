//! The audit log: who did what, to what, when, from where. It is the event log itself, read by whoever may
//! (org-service); nothing here writes.

mod model;
mod routes;
mod store;

pub use routes::routes;

/// Every statement of this context.
pub const STATEMENTS: &[&[db::Sql]] = &[store::events::statements::ALL];
