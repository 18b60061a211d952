//! The only SQL of this context, one file a table.

pub(crate) mod attempts;
pub(crate) mod deliveries;
pub(crate) mod delivery_queue;
pub(crate) mod endpoints;
pub(crate) mod messages;

/// Every statement of this context.
pub const STATEMENTS: &[&[db::Sql]] = &[
    endpoints::statements::ALL,
    messages::statements::ALL,
    delivery_queue::statements::ALL,
    deliveries::statements::ALL,
    attempts::statements::ALL,
];
