//! The events of a call, with what the platform adds: whose they are, when they came, which message they are.

use super::known_sources::KnownSource;
use crate::{
    Analytics,
    model::{
        Fault,
        call::{Call, Rejected},
        event::{self, Event},
    },
};
use types::{EventId, OrgId, SourceId, Timestamp, Uuid};

/// An event on its way into the database.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) id: EventId,
    pub(crate) org: OrgId,
    pub(crate) source: SourceId,
    pub(crate) received_at: Timestamp,
    pub(crate) message_id: String,
    /// Half of a SHA-256 of source and message id.
    pub(crate) message: Uuid,
    pub(crate) person: Uuid,
    pub(crate) event: Event,
}

/// Those that are taken, and those that are not.
pub(crate) fn run(
    state: &Analytics,
    source: &KnownSource,
    call: Call<'_>,
) -> Result<(Vec<Taken>, Vec<Rejected>), Fault> {
    let received_at = state.app.clock.now();
    let (events, rejected) = call.events(received_at)?;
    let taken = events.into_iter().map(|event| take(state, source, received_at, event));
    Ok((taken.collect(), rejected))
}

fn take(state: &Analytics, source: &KnownSource, received_at: Timestamp, mut event: Event) -> Taken {
    let id = EventId::new(&state.app.rng, received_at);
    let message_id = event.message_id.take().unwrap_or_else(|| id.to_string());
    Taken {
        id,
        org: source.org,
        source: source.id,
        received_at,
        message: event::half(&[source.id.0.as_bytes(), message_id.as_bytes()]),
        message_id,
        person: event.person(),
        event,
    }
}
