//! What an endpoint, a message and an attempt are: pure rules, no I/O.

pub(crate) mod address;
pub(crate) mod event_type;
pub(crate) mod headers;
pub(crate) mod payload;
pub(crate) mod schedule;
pub(crate) mod secret;
pub(crate) mod target;
