//! Telling the world: the catalogue of events, the sequencer that orders them into the event log, and its consumers.
//!
//! A change emits into its own transaction (`db::Tx::emit`); nothing is published any other way.

mod catalogue;
mod consumer;
mod event;
pub mod partitions;
mod sequencer;

pub use catalogue::{Audience, Kind};
pub use consumer::{Cursor, LoggedEvent, read_after};
pub use event::{Actor, Event};
pub use sequencer::Sequencer;

/// Every statement of this crate.
pub const STATEMENTS: &[&[db::Sql]] = &[consumer::STATEMENTS, sequencer::STATEMENTS, partitions::statements::ALL];
