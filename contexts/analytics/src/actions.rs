//! What is decided about sources and events, one use case a file.

pub(crate) mod change_source;
pub(crate) mod create_source;
pub(crate) mod delete_source;
pub(crate) mod forget_messages;
pub(crate) mod known_names;
pub(crate) mod known_sources;
pub(crate) mod query;
pub(crate) mod take_events;
pub(crate) mod write;
