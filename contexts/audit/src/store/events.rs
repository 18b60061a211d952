//! `events`, newest first, with the personal values that were not erased.
//!
//! Row level security keeps filters on JSON and most others from an index, so a page looks through a bounded number of
//! the organization's entries and says how far it came: a filter that nothing matches costs no more than one that
//! everything does.

use db::{OrgRead, row, sql};
use serde_json::Value;
use types::{EventId, RequestId, Timestamp};

/// Entries that one page looks through.
pub(crate) const SCANNED: i64 = 5_000;

row! {
    /// How far the page looked, and an entry that matches, if any.
    #[derive(Debug)]
    pub(crate) struct FoundRow {
        scanned: i64,
        end_at: Option<Timestamp>,
        end_position: Option<i64>,
        sequenced_at: Option<Timestamp>,
        position: Option<i64>,
        id: Option<EventId>,
        kind: Option<String>,
        actor: Option<Value>,
        act: Option<Value>,
        target: Option<String>,
        request_id: Option<RequestId>,
        data: Option<Value>,
        personal_hash: Option<Vec<u8>>,
        personal: Option<Value>,
        at: Option<Timestamp>,
    }
}
row! {
    /// An entry.
    #[derive(Debug)]
    pub(crate) struct EntryRow {
        sequenced_at: Timestamp,
        position: i64,
        id: EventId,
        kind: String,
        actor: Value,
        act: Option<Value>,
        target: Option<String>,
        request_id: Option<RequestId>,
        data: Value,
        personal_hash: Option<Vec<u8>>,
        personal: Option<Value>,
        at: Timestamp,
    }
}

sql! {
    /// A page before a time and a position of the log, which grow together; at least one row, which says how far it looked.
    #[expect(clippy::too_many_arguments, reason = "the list's filters")]
    pub fn page(db: OrgRead, before_at: Timestamp, before: i64, since: Timestamp, actor: Option<&str>,
        actions: &[&str], target: Option<&str>, scan_limit: i64, limit: i64) -> all FoundRow =
        "WITH scanned AS MATERIALIZED (
             SELECT sequenced_at, position, id, kind, actor, act, target, request_id, data, personal_hash, at FROM events
             WHERE org_id = app_org() AND sequenced_at >= $3 AND sequenced_at < $1 AND position < $2
             ORDER BY sequenced_at DESC, position DESC LIMIT $7),
         ends AS (SELECT count(*) AS scanned, min(sequenced_at) AS end_at, min(position) AS end_position FROM scanned),
         matched AS (
             SELECT * FROM scanned WHERE ($4::text IS NULL OR actor->>'id' = $4) AND kind = ANY ($5)
             AND ($6::text IS NULL OR target = $6) ORDER BY sequenced_at DESC, position DESC LIMIT $8)
         SELECT e.scanned, e.end_at, e.end_position, m.sequenced_at, m.position, m.id, m.kind, m.actor, m.act, m.target,
             m.request_id, m.data, m.personal_hash, p.data AS personal, m.at
         FROM ends e LEFT JOIN matched m ON true LEFT JOIN event_personal p ON p.event_id = m.id
         ORDER BY m.sequenced_at DESC, m.position DESC";

    /// One entry. It entered the log after it happened; a little before, when clocks differ.
    pub fn by_id(db: OrgRead, id: EventId, since: Timestamp, actions: &[&str]) -> opt EntryRow =
        "SELECT e.sequenced_at, e.position, e.id, e.kind, e.actor, e.act, e.target, e.request_id, e.data, e.personal_hash,
             p.data AS personal, e.at
         FROM events e LEFT JOIN event_personal p ON p.event_id = e.id
         WHERE e.org_id = app_org() AND e.id = $1 AND e.sequenced_at >= $2 AND e.kind = ANY ($3)";
}

impl FoundRow {
    /// The entry, where there is one.
    pub(crate) fn entry(self) -> Option<EntryRow> {
        Some(EntryRow {
            sequenced_at: self.sequenced_at?,
            position: self.position?,
            id: self.id?,
            kind: self.kind?,
            actor: self.actor?,
            act: self.act,
            target: self.target,
            request_id: self.request_id,
            data: self.data?,
            personal_hash: self.personal_hash,
            personal: self.personal,
            at: self.at?,
        })
    }
}
