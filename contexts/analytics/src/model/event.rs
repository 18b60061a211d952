//! One event: read from a client's text, checked, ready to be stored.

use super::{Fault, moment};
use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, value::RawValue};
use std::sync::Arc;
use types::{Timestamp, Uuid};

/// Of an event's text.
pub(crate) const MAX_BYTES: usize = 32 * 1024;
/// Of ids and names: index rows have a limit.
const MAX_CHARACTERS: usize = 255;

/// Segment's six kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Track,
    Identify,
    Page,
    Screen,
    Group,
    Alias,
}

impl Kind {
    const ALL: [Self; 6] = [Self::Track, Self::Identify, Self::Page, Self::Screen, Self::Group, Self::Alias];

    /// As in `type`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Track => "track",
            Self::Identify => "identify",
            Self::Page => "page",
            Self::Screen => "screen",
            Self::Group => "group",
            Self::Alias => "alias",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// An event that can be taken.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) kind: Kind,
    /// Empty for kinds that have none.
    pub(crate) name: Arc<str>,
    /// None: it gets one.
    pub(crate) message_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) anonymous_id: Option<String>,
    pub(crate) subject_id: Option<String>,
    pub(crate) properties: Box<RawValue>,
    pub(crate) context: Box<RawValue>,
    pub(crate) happened_at: Timestamp,
}

/// What all events of a call share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) received_at: Timestamp,
    pub(crate) sent_at: Option<Timestamp>,
    pub(crate) context: Map<String, Value>,
}

/// As clients write it; members that nobody knows are left.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(rename = "type", default)]
    kind: Text,
    #[serde(default)]
    event: Text,
    #[serde(default)]
    name: Text,
    #[serde(default)]
    message_id: Text,
    #[serde(default)]
    user_id: Text,
    #[serde(default)]
    anonymous_id: Text,
    #[serde(default)]
    group_id: Text,
    #[serde(default)]
    previous_id: Text,
    #[serde(default)]
    timestamp: Text,
    properties: Option<Map<String, Value>>,
    traits: Option<Map<String, Value>>,
    context: Option<Map<String, Value>>,
}

/// A text or, as some programs have it, a number; null and empty are none.
#[derive(Default)]
struct Text(Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(Some(text).filter(|text| !text.is_empty()))),
            Value::Number(number) => Ok(Self(Some(number.to_string()))),
            Value::Null => Ok(Self(None)),
            _ => Err(serde::de::Error::custom("an id, a name or a time is no text")),
        }
    }
}

/// Reads one; `kind` is what the route says, else its `type` does.
pub(crate) fn parse(text: &str, kind: Option<Kind>, shared: &Shared) -> Result<Event, Fault> {
    if text.len() > MAX_BYTES {
        return Err(Fault::new("too_large", "an event takes at most 32 kB"));
    }
    if !text.trim_start().starts_with('{') {
        return Err(Fault::new("malformed", "an event is a JSON object"));
    }
    let wire: Wire = serde_json::from_str(text).map_err(|error| Fault::new("malformed", error.to_string()))?;
    if text.contains("\\u0000") && wire.holds_nul() {
        return Err(Fault::new("malformed", "no text takes U+0000"));
    }
    let said = || wire.kind.0.as_deref().and_then(Kind::parse);
    let unknown = || Fault::new("unknown_type", "type is track, identify, page, screen, group or alias");
    let kind = kind.or_else(said).ok_or_else(unknown)?;
    wire.check(kind)?;
    let timestamp = match wire.timestamp.0.as_deref() {
        None => None,
        Some(text) => {
            Some(moment::parse(text).ok_or_else(|| Fault::new("timestamp", "timestamp is no time as in RFC 3339"))?)
        }
    };
    let happened_at = moment::corrected(timestamp, shared.sent_at, shared.received_at)?;
    wire.into_event(kind, happened_at, &shared.context)
}

impl Wire {
    fn holds_nul(&self) -> bool {
        let texts = [&self.event, &self.name, &self.message_id, &self.user_id, &self.anonymous_id, &self.group_id];
        let texts = texts.into_iter().chain([&self.previous_id]);
        let maps = [&self.properties, &self.traits, &self.context];
        texts.flat_map(|text| &text.0).any(|text| text.contains('\0'))
            || maps.into_iter().flatten().any(|map| map.iter().any(|(key, value)| key.contains('\0') || is_nul(value)))
    }

    /// Who and what it is about must be said.
    fn check(&self, kind: Kind) -> Result<(), Fault> {
        let texts = [
            ("event", &self.event),
            ("name", &self.name),
            ("messageId", &self.message_id),
            ("userId", &self.user_id),
            ("anonymousId", &self.anonymous_id),
            ("groupId", &self.group_id),
            ("previousId", &self.previous_id),
        ];
        let too_long = |text: &Text| text.0.as_ref().is_some_and(|text| text.chars().count() > MAX_CHARACTERS);
        if let Some((name, _)) = texts.iter().find(|(_, text)| too_long(text)) {
            return Err(Fault::new("too_long", format!("{name} takes at most {MAX_CHARACTERS} characters")));
        }
        let needed: &[&str] = match kind {
            Kind::Track => &["event"],
            Kind::Group => &["groupId"],
            Kind::Alias => &["userId", "previousId"],
            Kind::Identify | Kind::Page | Kind::Screen => &[],
        };
        let is_missing = |name: &&&str| texts.iter().any(|(known, text)| known == *name && text.0.is_none());
        if let Some(name) = needed.iter().find(is_missing) {
            return Err(Fault::new("missing", format!("{} needs {name}", kind.as_str())));
        }
        if self.user_id.0.is_none() && self.anonymous_id.0.is_none() {
            return Err(Fault::new("missing", "an event needs userId or anonymousId"));
        }
        Ok(())
    }

    fn into_event(self, kind: Kind, happened_at: Timestamp, shared: &Map<String, Value>) -> Result<Event, Fault> {
        let name = match kind {
            Kind::Track => self.event.0,
            Kind::Page | Kind::Screen => self.name.0,
            Kind::Identify | Kind::Group | Kind::Alias => None,
        };
        let subject_id = match kind {
            Kind::Group => self.group_id.0,
            Kind::Alias => self.previous_id.0,
            _ => None,
        };
        let properties = match kind {
            Kind::Identify | Kind::Group => self.traits.or(self.properties),
            _ => self.properties,
        };
        let mut context = self.context.unwrap_or_default();
        for (key, value) in shared {
            // What the event says itself counts.
            context.entry(key).or_insert_with(|| value.clone());
        }
        Ok(Event {
            kind,
            name: name.unwrap_or_default().into(),
            message_id: self.message_id.0,
            user_id: self.user_id.0,
            anonymous_id: self.anonymous_id.0,
            subject_id,
            properties: raw(&properties.unwrap_or_default())?,
            context: raw(&context)?,
            happened_at,
        })
    }
}

impl Event {
    /// Half of a SHA-256 of the user or, where none is named, of the anonymous one.
    pub(crate) fn person(&self) -> Uuid {
        match (&self.user_id, &self.anonymous_id) {
            (Some(user), _) => half(&[b"user\0", user.as_bytes()]),
            (None, anonymous) => half(&[b"anonymous\0", anonymous.as_deref().unwrap_or_default().as_bytes()]),
        }
    }

    /// So many bytes it takes while it waits, about.
    pub(crate) fn weight(&self) -> usize {
        256 + self.properties.get().len() + self.context.get().len()
    }
}

/// Half of a SHA-256.
pub(crate) fn half(parts: &[&[u8]]) -> Uuid {
    let mut digest = Context::new(&SHA256);
    for part in parts {
        digest.update(part);
    }
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest.finish().as_ref()).for_each(|(to, from)| *to = *from);
    Uuid::from_bytes(bytes)
}

/// Written anew: what serde could read, `jsonb` can. (The client's own text may have half a surrogate pair, or a number
/// that only fills PostgreSQL's memory.)
fn raw(map: &Map<String, Value>) -> Result<Box<RawValue>, Fault> {
    serde_json::value::to_raw_value(map).map_err(|error| Fault::new("malformed", error.to_string()))
}

fn is_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(is_nul),
        Value::Object(map) => map.iter().any(|(key, value)| key.contains('\0') || is_nul(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
