//! What this context reads of the database.

pub(crate) mod events;
