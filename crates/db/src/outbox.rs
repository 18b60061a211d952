//! The rows with which a change tells the world, written by the commit of the change itself.

use crate::Sql;
use serde_json::Value;
use tokio_postgres::types::{Json, ToSql};
use types::{EventId, OrgId, RequestId, Timestamp, UserId};

/// An event on its way; `events` makes it from the catalogue.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Its id, the same in the log and in every delivery.
    pub id: EventId,
    /// Its name in the catalogue.
    pub kind: &'static str,
    /// Whose log it enters.
    pub org: Option<OrgId>,
    /// The person whose own log it enters.
    pub user: Option<UserId>,
    /// Who did it.
    pub actor: Value,
    /// On whose behalf.
    pub act: Option<Value>,
    /// The id of what it was done to.
    pub target: Option<String>,
    /// The request that did it.
    pub request_id: Option<RequestId>,
    /// What anybody who may see the event may see.
    pub data: Value,
    /// Personal values, kept apart so that they can be erased.
    pub personal: Option<Value>,
    /// When, by the platform's clock.
    pub at: Timestamp,
}

const PARAMETERS: &[(&str, &str)] = &[
    ("ids", "&[EventId]"),
    ("kinds", "&[&str]"),
    ("orgs", "&[OrgId]"),
    ("users", "&[UserId]"),
    ("actors", "&[Value]"),
    ("acts", "&[Option<Value>]"),
    ("targets", "&[Option<&str>]"),
    ("requests", "&[Option<RequestId>]"),
    ("data", "&[Value]"),
    ("personal", "&[Option<Value>]"),
    ("at", "&[Timestamp]"),
];

pub(crate) const INSERT: Sql = Sql {
    name: "outbox::INSERT",
    scope: "Tx",
    parameters: PARAMETERS,
    text: "INSERT INTO outbox (event_id, kind, org_id, user_id, actor, act, target, request_id, data, personal, at) \
           SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::jsonb[], $6::jsonb[], $7::text[], \
           $8::uuid[], $9::jsonb[], $10::jsonb[], $11::timestamptz[])",
    check: |_| Ok(vec![]),
};

type Document<'a> = Json<&'a Value>;

/// The rows as columns: one statement whatever their number.
pub(crate) struct Columns<'a> {
    ids: Vec<EventId>,
    kinds: Vec<&'a str>,
    orgs: Vec<Option<OrgId>>,
    users: Vec<Option<UserId>>,
    actors: Vec<Document<'a>>,
    acts: Vec<Option<Document<'a>>>,
    targets: Vec<Option<&'a str>>,
    requests: Vec<Option<RequestId>>,
    data: Vec<Document<'a>>,
    personal: Vec<Option<Document<'a>>>,
    at: Vec<Timestamp>,
}

impl<'a> From<&'a [Outgoing]> for Columns<'a> {
    fn from(rows: &'a [Outgoing]) -> Self {
        Self {
            ids: rows.iter().map(|row| row.id).collect(),
            kinds: rows.iter().map(|row| row.kind).collect(),
            orgs: rows.iter().map(|row| row.org).collect(),
            users: rows.iter().map(|row| row.user).collect(),
            actors: rows.iter().map(|row| Json(&row.actor)).collect(),
            acts: rows.iter().map(|row| row.act.as_ref().map(Json)).collect(),
            targets: rows.iter().map(|row| row.target.as_deref()).collect(),
            requests: rows.iter().map(|row| row.request_id).collect(),
            data: rows.iter().map(|row| Json(&row.data)).collect(),
            personal: rows.iter().map(|row| row.personal.as_ref().map(Json)).collect(),
            at: rows.iter().map(|row| row.at).collect(),
        }
    }
}

impl Columns<'_> {
    pub(crate) fn params(&self) -> [&(dyn ToSql + Sync); 11] {
        [
            &self.ids,
            &self.kinds,
            &self.orgs,
            &self.users,
            &self.actors,
            &self.acts,
            &self.targets,
            &self.requests,
            &self.data,
            &self.personal,
            &self.at,
        ]
    }
}
