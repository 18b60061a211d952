//! The body of a delivery: `{id, type, timestamp, organization_id, actor, data}`, and nothing else of what is known.

use serde::Serialize;
use serde_json::Value;
use types::{OrgId, Timestamp};

#[derive(Serialize)]
pub(crate) struct Payload<'a> {
    /// The same as in `webhook-id`.
    pub(crate) id: &'a str,
    #[serde(rename = "type")]
    pub(crate) of: &'a str,
    pub(crate) timestamp: Timestamp,
    pub(crate) organization_id: OrgId,
    pub(crate) actor: &'a Value,
    pub(crate) data: &'a Value,
}

impl Payload<'_> {
    /// As it is signed and sent.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What an event says, without the values before and after a change: those may be secrets that only the log keeps.
pub(crate) fn told(mut data: Value) -> Value {
    if let Some(members) = data.as_object_mut() {
        members.remove("before");
        members.remove("after");
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_before_and_after_stays_here() {
        assert_eq!(told(json!({ "type": "note", "before": { "name": "a" }, "after": 1 })), json!({ "type": "note" }));
    }
}
