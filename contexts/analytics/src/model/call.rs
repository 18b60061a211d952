//! A request of a client: one event, or a batch of them.

use super::{
    Fault,
    event::{self, Event, Kind, Shared},
    moment,
};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};
use types::Timestamp;

/// Of a single call, inflated.
pub(crate) const MAX_CALL_BYTES: usize = event::MAX_BYTES;
/// Of a batch, inflated.
pub(crate) const MAX_BATCH_BYTES: usize = 500 * 1024;
/// Events a batch.
pub(crate) const MAX_EVENTS: usize = 2_500;
/// Of what a batch becomes: its context is stored with each of its events.
const MAX_STORED_BYTES: usize = 4 << 20;

/// What a request says beside its events.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    write_key: Option<Value>,
    sent_at: Option<Value>,
    #[serde(borrow)]
    batch: Option<&'a RawValue>,
    #[serde(borrow)]
    context: Option<&'a RawValue>,
}

/// A request, taken apart.
pub(crate) struct Call<'a> {
    /// For who sends no credential.
    pub(crate) write_key: Option<String>,
    sent_at: Option<Timestamp>,
    context: Map<String, Value>,
    kind: Option<Kind>,
    events: Vec<&'a str>,
}

/// An event that is not taken: its place in the batch, and why.
#[derive(Debug)]
pub(crate) struct Rejected {
    pub(crate) index: usize,
    pub(crate) fault: Fault,
}

impl<'a> Call<'a> {
    /// Of a body; `kind` is what the route says, none for a batch.
    pub(crate) fn parse(body: &'a [u8], kind: Option<Kind>) -> Result<Self, Fault> {
        let malformed = |detail: String| Fault::new("malformed", detail);
        let text = std::str::from_utf8(body).map_err(|_| malformed("the body is no UTF-8".to_owned()))?;
        if !text.trim_start().starts_with('{') {
            return Err(malformed("a JSON object is expected".to_owned()));
        }
        let envelope: Envelope<'a> = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let sent_at = envelope.sent_at.as_ref().and_then(Value::as_str).and_then(moment::parse);
        let write_key = envelope.write_key.as_ref().and_then(Value::as_str).map(str::to_owned);
        let mut call = Self { write_key, sent_at, context: Map::new(), kind, events: vec![text] };
        if kind.is_none() {
            let batch = envelope.batch.map_or("null", RawValue::get);
            let batch: Vec<&RawValue> =
                serde_json::from_str(batch).map_err(|_| malformed("batch is an array of events".to_owned()))?;
            if batch.len() > MAX_EVENTS {
                return Err(malformed(format!("a batch takes at most {MAX_EVENTS} events")));
            }
            call.events = batch.into_iter().map(RawValue::get).collect();
            let context: Option<Map<String, Value>> =
                serde_json::from_str(envelope.context.map_or("null", RawValue::get))
                    .map_err(|_| malformed("context is an object".to_owned()))?;
            call.context = context.unwrap_or_default();
        }
        Ok(call)
    }

    /// Its events that can be taken, and those that cannot. Err: all of it is too large.
    pub(crate) fn events(self, received_at: Timestamp) -> Result<(Vec<Event>, Vec<Rejected>), Fault> {
        let Self { sent_at, context, kind, .. } = self;
        let shared = Shared { received_at, sent_at, context };
        let (mut taken, mut rejected, mut bytes) = (Vec::with_capacity(self.events.len()), vec![], 0);
        for (index, text) in self.events.into_iter().enumerate() {
            match event::parse(text, kind, &shared) {
                Ok(event) => {
                    bytes += event.weight();
                    taken.push(event);
                }
                Err(fault) => rejected.push(Rejected { index, fault }),
            }
            if bytes > MAX_STORED_BYTES {
                return Err(Fault::new(
                    "malformed",
                    "the context of a batch counts with each of its events: it is too large",
                ));
            }
        }
        Ok((taken, rejected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_batch_says_which_of_its_events_it_does_not_take() {
        let good = json!({"type": "track", "event": "e", "userId": "u"});
        let body = json!({"writeKey": "k", "batch": [good, 7, good, {"type": "track", "userId": "u"}, [], good]});
        let body = body.to_string();
        let call = Call::parse(body.as_bytes(), None).unwrap();
        assert_eq!(call.write_key.as_deref(), Some("k"));
        let (taken, rejected) = call.events(Timestamp::from_millis(1_737_115_200_000)).unwrap();
        let rejected: Vec<_> = rejected.iter().map(|one| (one.index, one.fault.code)).collect();
        assert_eq!((taken.len(), rejected), (3, vec![(1, "malformed"), (3, "missing"), (4, "malformed")]));
    }

    #[test]
    fn what_is_no_call_at_all_is_refused_as_a_whole() {
        for body in ["", "[]", "{", "{}", r#"{"batch": {}}"#, r#"{"batch": [], "context": 1}"#, "{\"batch\": []} x"] {
            assert!(Call::parse(body.as_bytes(), None).is_err(), "{body}");
        }
        let many = json!({"batch": vec![1; MAX_EVENTS + 1]}).to_string();
        assert!(Call::parse(many.as_bytes(), None).is_err());
        assert!(Call::parse(b"\xff", Some(Kind::Track)).is_err());
    }

    #[test]
    fn a_large_context_times_many_events_is_refused() {
        let event = json!({"type": "track", "event": "e", "userId": "u"});
        let context = json!({"a": "x".repeat(30_000)});
        let body = json!({"context": context, "batch": vec![event; 2_000]}).to_string();
        assert!(body.len() < MAX_BATCH_BYTES);
        assert!(Call::parse(body.as_bytes(), None).unwrap().events(Timestamp::from_millis(1_737_115_200_000)).is_err());
    }
}
