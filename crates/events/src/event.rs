//! An event on its way into the outbox.

use crate::Kind;
use db::Outgoing;
use serde::Serialize;
use serde_json::{Value, json};
use types::{Clock, EventId, OrgId, RequestId, Rng, UserId};

/// Who did it.
#[derive(Clone, Debug, Serialize)]
pub struct Actor {
    /// `user`, `system` or `anonymous`.
    pub kind: &'static str,
    /// The actor's id, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl Actor {
    /// The platform itself, or whoever operates it.
    pub const SYSTEM: Self = Self { kind: "system", id: None };
    /// Somebody who did not sign in.
    pub const ANONYMOUS: Self = Self { kind: "anonymous", id: None };

    /// A person.
    pub fn user(user: UserId) -> Self {
        Self { kind: "user", id: Some(user.to_string()) }
    }
}

/// Builds an event: `Event::new(Kind::ResourceCreated, &actor, &clock, &rng).org(org).target(id).data(json!({…}))`.
#[derive(Debug)]
pub struct Event(Outgoing);

impl Event {
    /// An event without organization, person, target and data.
    pub fn new(kind: Kind, actor: &Actor, clock: &Clock, rng: &Rng) -> Self {
        let at = clock.now();
        Self(Outgoing {
            id: EventId::new(rng, at),
            kind: kind.as_str(),
            org: None,
            user: None,
            actor: json!(actor),
            act: None,
            target: None,
            request_id: None,
            data: json!({}),
            personal: None,
            at,
        })
    }

    /// Into this organization's log, if there is one.
    #[must_use]
    pub fn org(mut self, org: impl Into<Option<OrgId>>) -> Self {
        self.0.org = org.into();
        self
    }

    /// Into this person's log.
    #[must_use]
    pub fn user(mut self, user: UserId) -> Self {
        self.0.user = Some(user);
        self
    }

    /// What it was done to.
    #[must_use]
    pub fn target(mut self, id: &impl ToString) -> Self {
        self.0.target = Some(id.to_string());
        self
    }

    /// The request that did it.
    #[must_use]
    pub fn request(mut self, request: Option<RequestId>) -> Self {
        self.0.request_id = request;
        self
    }

    /// On whose behalf the actor acted (RFC 8693, claim `act`).
    #[must_use]
    pub fn act(mut self, act: Option<Value>) -> Self {
        self.0.act = act;
        self
    }

    /// What whoever may see the event may see.
    #[must_use]
    pub fn data(mut self, data: Value) -> Self {
        self.0.data = data;
        self
    }

    /// Addresses, names and the like: kept apart, erasable, never sent out.
    #[must_use]
    pub fn personal(mut self, personal: Value) -> Self {
        self.0.personal = Some(personal);
        self
    }
}

impl From<Event> for Outgoing {
    fn from(event: Event) -> Self {
        event.0
    }
}
