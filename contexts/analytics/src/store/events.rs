//! `analytics_events`: in daily partitions by the time of receipt.
//!
//! Lists take the page first and its names then: joined before, PostgreSQL may read all events to sort them.

use db::{Done, OrgRead, SystemTx, row, sql};
use postgres_types::Json;
use serde_json::value::RawValue;
use types::{EventId, OrgId, SourceId, Timestamp};

row! {
    /// An event; properties and context stay the text that PostgreSQL sent.
    #[derive(Debug)]
    pub(crate) struct EventRow {
        id: EventId, kind: String, name: String, source_id: SourceId, message_id: String, user_id: Option<String>,
        anonymous_id: Option<String>, subject_id: Option<String>, properties: Json<Box<RawValue>>,
        context: Json<Box<RawValue>>, happened_at: Timestamp, received_at: Timestamp,
    }
}

sql! {
    /// New events.
    #[expect(clippy::too_many_arguments, reason = "a row's columns")]
    pub fn insert(tx: SystemTx, received_at: &[Timestamp], orgs: &[OrgId], ids: &[EventId], sources: &[SourceId], names: &[i32],
        happened_at: &[Timestamp], messages: &[&str], users: &[Option<&str>], anonymous: &[Option<&str>],
        subjects: &[Option<&str>], properties: &[Json<&RawValue>], contexts: &[Json<&RawValue>]) -> exec Done =
        "INSERT INTO analytics_events (received_at, org_id, id, source_id, name_id, happened_at, message_id, user_id,
             anonymous_id, subject_id, properties, context)
         SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::uuid[], $4::uuid[], $5::int4[], $6::timestamptz[],
             $7::text[], $8::text[], $9::text[], $10::text[], $11::jsonb[], $12::jsonb[])";

    /// The latest of all before a place.
    pub fn latest(db: OrgRead, org: OrgId, at: Timestamp, before: EventId, limit: i64) -> all EventRow =
        "SELECT e.id, n.kind, n.name, e.source_id, e.message_id, e.user_id, e.anonymous_id, e.subject_id, e.properties,
             e.context, e.happened_at, e.received_at
         FROM (SELECT * FROM analytics_events WHERE org_id = $1 AND received_at <= $2 AND (received_at, id) < ($2, $3)
               ORDER BY received_at DESC, id DESC LIMIT $4) AS e
         JOIN analytics_names n ON n.org_id = e.org_id AND n.id = e.name_id ORDER BY e.received_at DESC, e.id DESC";

    /// The latest of a name.
    pub fn latest_of_name(db: OrgRead, org: OrgId, name: i32, at: Timestamp, before: EventId, limit: i64) -> all EventRow =
        "SELECT e.id, n.kind, n.name, e.source_id, e.message_id, e.user_id, e.anonymous_id, e.subject_id, e.properties,
             e.context, e.happened_at, e.received_at
         FROM (SELECT * FROM analytics_events WHERE org_id = $1 AND name_id = $2 AND received_at <= $3 AND (received_at, id) < ($3, $4)
               ORDER BY received_at DESC, id DESC LIMIT $5) AS e
         JOIN analytics_names n ON n.org_id = e.org_id AND n.id = e.name_id ORDER BY e.received_at DESC, e.id DESC";

    /// The latest of a user.
    pub fn latest_of_user(db: OrgRead, org: OrgId, user: &str, at: Timestamp, before: EventId, limit: i64) -> all EventRow =
        "SELECT e.id, n.kind, n.name, e.source_id, e.message_id, e.user_id, e.anonymous_id, e.subject_id, e.properties,
             e.context, e.happened_at, e.received_at
         FROM (SELECT * FROM analytics_events WHERE org_id = $1 AND user_id = $2 AND received_at <= $3 AND (received_at, id) < ($3, $4)
               ORDER BY received_at DESC, id DESC LIMIT $5) AS e
         JOIN analytics_names n ON n.org_id = e.org_id AND n.id = e.name_id ORDER BY e.received_at DESC, e.id DESC";

    /// The latest of a user and a name: of the user's, those.
    #[expect(clippy::too_many_arguments, reason = "a place in a filtered list")]
    pub fn latest_of_both(db: OrgRead, org: OrgId, user: &str, name: i32, at: Timestamp, before: EventId, limit: i64) -> all EventRow =
        "SELECT e.id, n.kind, n.name, e.source_id, e.message_id, e.user_id, e.anonymous_id, e.subject_id, e.properties,
             e.context, e.happened_at, e.received_at
         FROM (SELECT * FROM analytics_events WHERE org_id = $1 AND user_id = $2 AND name_id = $3 AND received_at <= $4 AND (received_at, id) < ($4, $5)
               ORDER BY received_at DESC, id DESC LIMIT $6) AS e
         JOIN analytics_names n ON n.org_id = e.org_id AND n.id = e.name_id ORDER BY e.received_at DESC, e.id DESC";
}
