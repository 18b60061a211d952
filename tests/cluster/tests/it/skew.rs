//! What a newer version leaves behind, read by the older one after a rollback.

use cluster_tests::{Installation, until};
use serde_json::{Value, json};
use std::time::Duration;

/// A note with a key that makes it once.
const ONCE: &str = "-H 'Content-Type: application/json' -H 'Idempotency-Key: left-behind' \
     -d '{\"type\":\"note\",\"document\":{\"title\":\"left behind\"}}'";

/// Of the newer version: a token with a claim, an event and a column that the older one does not know, a cursor, an
/// answer that is remembered by its key.
pub(crate) struct LeftBehind {
    token: String,
    cursor: String,
    note: Value,
}

impl LeftBehind {
    /// To be called while the newer version serves.
    pub(crate) fn new(installation: &Installation) -> Self {
        let token = installation.sign_in();
        let rename = json!({ "name": "Renamed by the newer one" });
        installation.ask(
            "/v1/organization",
            &token,
            &format!("-X PATCH -H 'Content-Type: application/json' -d '{rename}'"),
        );
        until(Duration::from_mins(1), "the event is in the log", || {
            let events = installation.ask("/v1/audit/events?action=organization.renamed", &token, "");
            events["data"].as_array().unwrap().len() == 1
        });
        let page = installation.ask("/v1/resources?type=note&limit=2", &token, "");
        let cursor = page["next_cursor"].as_str().unwrap().to_owned();
        let note = installation.ask("/v1/resources", &token, ONCE);
        Self { token, cursor, note }
    }

    /// To be called while the older version serves.
    pub(crate) fn is_read(&self, installation: &Installation) {
        let Self { token, cursor, note } = self;
        let organization = installation.ask("/v1/organization", token, "");
        assert_eq!(organization["name"], "Renamed by the newer one");
        let page = installation.ask(&format!("/v1/resources?type=note&limit=2&cursor={cursor}"), token, "");
        assert_eq!(page["data"].as_array().unwrap().len(), 2, "{page}");
        assert_eq!(installation.ask("/v1/resources", token, ONCE)["id"], note["id"], "the note was made twice");
        // The unknown event is in the same log, between the two that it knows.
        let events = installation.ask("/v1/audit/events?action=organization.*", token, "");
        let actions: Vec<_> = events["data"].as_array().unwrap().iter().map(|event| &event["action"]).collect();
        assert!(actions.iter().any(|action| *action == "organization.updated"), "{actions:?}");
    }
}
