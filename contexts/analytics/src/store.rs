//! The only SQL of this context, one file a table.

pub(crate) mod events;
pub(crate) mod hourly;
pub(crate) mod messages;
pub(crate) mod names;
pub(crate) mod sources;

pub(crate) const STATEMENTS: &[&[db::Sql]] = &[
    events::statements::ALL,
    hourly::statements::ALL,
    messages::statements::ALL,
    names::statements::ALL,
    sources::statements::ALL,
];
