//! A moment in UTC, written with milliseconds and `Z` everywhere.

use jiff::Timestamp as Instant;
use postgres_types::{FromSql, IsNull, ToSql, Type, private::BytesMut};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{error::Error, fmt, str::FromStr, time::Duration};
use utoipa::openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type as SchemaType};

/// RFC 3339 in JSON (`2025-01-17T14:00:00.000Z`), `timestamptz` in PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(Instant);

impl Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    pub(crate) fn of_system() -> Self {
        Self::from_millis(Instant::now().as_millisecond())
    }

    /// From milliseconds since 1970; out of jiff's range saturates.
    pub fn from_millis(millis: i64) -> Self {
        let end = if millis < 0 { Instant::MIN } else { Instant::MAX };
        Self(Instant::from_millisecond(millis).unwrap_or(end))
    }

    /// Milliseconds since 1970.
    pub fn as_millis(self) -> i64 {
        self.0.as_millisecond()
    }

    /// Seconds since 1970, as in a JWT's `iat`.
    pub fn as_secs(self) -> i64 {
        self.0.as_second()
    }

    /// This moment and a span more.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.as_millis().saturating_add(span))
    }

    /// This moment and a span less.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.as_millis().saturating_sub(span))
    }

    /// Time since an earlier moment; zero when that lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.as_millis() - earlier.as_millis()).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| serde::de::Error::custom("expected a time as in 2025-01-17T14:00:00.000Z"))
    }
}

impl ToSql for Timestamp {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.0.to_sql(ty, out)
    }
    postgres_types::accepts!(TIMESTAMPTZ);
    postgres_types::to_sql_checked!();
}

impl<'a> FromSql<'a> for Timestamp {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Instant::from_sql(ty, raw).map(Self)
    }
    postgres_types::accepts!(TIMESTAMPTZ);
}

impl utoipa::PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .examples(["2025-01-17T14:00:00.000Z"])
            .into()
    }
}
impl utoipa::ToSchema for Timestamp {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_with_three_decimals_and_z() {
        assert_eq!(Timestamp::from_millis(1_737_122_400_000).to_string(), "2025-01-17T14:00:00.000Z");
        let parsed: Timestamp = "2025-01-17T15:00:00.123456789+01:00".parse().unwrap();
        assert_eq!(parsed.to_string(), "2025-01-17T14:00:00.123Z");
    }
}
