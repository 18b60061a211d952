//! Ids: a prefix that says what it names and 26 characters of Crockford base32 of a UUIDv7; plain `uuid` in PostgreSQL.

use crate::{Rng, Timestamp};
use postgres_types::{FromSql, IsNull, ToSql, Type, private::BytesMut};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{error::Error, fmt, str::FromStr};
use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const DIGITS: usize = 26;

/// How often a membership changed; tokens repeat it, so that an outdated one is noticed.
pub type MembershipVersion = i32;

/// A text that is no id of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an id of the form {prefix}_ and 26 characters")]
pub struct NotAnId {
    /// The prefix that was expected.
    pub prefix: &'static str,
}

/// 128 bits as 26 digits, most significant first.
fn encode(id: Uuid) -> [u8; DIGITS] {
    let mut rest = id.as_u128();
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[usize::try_from(rest & 31).unwrap_or(0)];
        rest >>= 5;
    }
    digits
}

/// The inverse of [`encode`]; only its own spelling is taken, so that one thing has one name.
fn decode(text: &str) -> Option<Uuid> {
    if text.len() != DIGITS || text.as_bytes()[0] > b'7' {
        return None;
    }
    let bits = text.bytes().try_fold(0_u128, |bits, byte| {
        let digit = ALPHABET.iter().position(|&known| known == byte)?;
        Some(bits << 5 | u128::try_from(digit).ok()?)
    })?;
    Some(Uuid::from_u128(bits))
}

macro_rules! ids { ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => { $(
    $(#[$doc])*
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct $name(pub Uuid);

    impl $name {
        /// What its text form starts with.
        pub const PREFIX: &str = $prefix;

        /// A new one, sortable by time.
        pub fn new(rng: &Rng, now: Timestamp) -> Self {
            Self(rng.uuid(now))
        }
    }

    impl fmt::Display for $name {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let digits = encode(self.0);
            write!(f, "{}_{}", $prefix, str::from_utf8(&digits).unwrap_or_default())
        }
    }

    impl fmt::Debug for $name {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            fmt::Display::fmt(self, f)
        }
    }

    impl FromStr for $name {
        type Err = NotAnId;
        fn from_str(text: &str) -> Result<Self, NotAnId> {
            let digits = text.strip_prefix(concat!($prefix, "_"));
            digits.and_then(decode).map(Self).ok_or(NotAnId { prefix: $prefix })
        }
    }

    impl Serialize for $name {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self)
        }
    }

    impl<'de> Deserialize<'de> for $name {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
        }
    }

    impl ToSql for $name {
        fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
            self.0.to_sql(ty, out)
        }
        postgres_types::accepts!(UUID);
        postgres_types::to_sql_checked!();
    }

    impl<'a> FromSql<'a> for $name {
        fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
            Uuid::from_sql(ty, raw).map(Self)
        }
        postgres_types::accepts!(UUID);
    }

    impl utoipa::PartialSchema for $name {
        fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
            utoipa::openapi::ObjectBuilder::new()
                .schema_type(utoipa::openapi::schema::Type::String)
                .pattern(Some(concat!("^", $prefix, "_[0-7][0-9a-hjkmnp-tv-z]{25}$")))
                .examples([concat!($prefix, "_01jhs3n5c8fq7t2v9w4x6y8zab")])
                .into()
        }
    }
    impl utoipa::ToSchema for $name {}
)* } }

ids! {
    /// A person's account.
    UserId = "usr";
    /// An organization, the tenant.
    OrgId = "org";
    /// A signed-in session.
    SessionId = "ses";
    /// A type of resources.
    ResourceTypeId = "rty";
    /// A resource.
    ResourceId = "res";
    /// A source of analytics events.
    SourceId = "src";
    /// Where an organization wants to be told what happened.
    EndpointId = "whe";
    /// What is told to endpoints.
    MessageId = "msg";
    /// A message on its way to an endpoint.
    DeliveryId = "dlv";
    /// An entry of the event log, or an analytics event.
    EventId = "evt";
    /// A job that runs after its request was answered.
    JobId = "job";
    /// A request, as in `X-Request-Id`.
    RequestId = "req";
}

impl EventId {
    /// When it was made, which the id tells; of one that somebody made up, 1970.
    pub fn made_at(self) -> Timestamp {
        let (seconds, nanos) = self.0.get_timestamp().map_or((0, 0), |made| made.to_unix());
        let millis = i64::try_from(seconds).unwrap_or_default().saturating_mul(1_000);
        Timestamp::from_millis(millis.saturating_add(i64::from(nanos / 1_000_000)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_survives_its_text_form(bits: u128) {
            let id = UserId(Uuid::from_u128(bits));
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn any_text_is_an_id_or_refused(text in "\\PC*") {
            if let Ok(id) = text.parse::<UserId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn another_kind_is_refused() {
        let org = OrgId(Uuid::from_u128(7)).to_string();
        assert_eq!(org.parse::<UserId>(), Err(NotAnId { prefix: "usr" }));
    }

    #[test]
    fn an_events_id_tells_when_it_was_made() {
        let at = Timestamp::from_millis(1_737_122_400_123);
        assert_eq!(EventId::new(&crate::Rng::seeded(1), at).made_at(), at);
        assert_eq!(EventId(Uuid::nil()).made_at(), Timestamp::from_millis(0));
    }

    #[test]
    fn ids_sort_by_time() {
        let rng = crate::Rng::seeded(1);
        let [a, b] = [1_000, 2_000].map(|ms| UserId::new(&rng, Timestamp::from_millis(ms)).to_string());
        assert!(a < b);
    }
}
