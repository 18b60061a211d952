//! When deployments are due: days and hours on the clock of a place.

use jiff::{Timestamp, ToSpan as _, Zoned, civil::Time, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::fmt;

/// Some days of the week, between two times of day.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Of the IANA database, as in `America/New_York`. The document's "EST" means that clock, also in summer.
    #[serde(deserialize_with = "zone", serialize_with = "zone_name")]
    pub zone: TimeZone,
    /// In English and lower case: `thursday`.
    pub days: Vec<Day>,
    /// Opens at, as in `14:00`.
    #[serde(deserialize_with = "time")]
    pub from: Time,
    /// Closes at, the same day.
    #[serde(deserialize_with = "time")]
    pub to: Time,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// The first of ISO 8601.
    Monday = 1,
    /// The second.
    Tuesday,
    /// The third.
    Wednesday,
    /// The fourth.
    Thursday,
    /// The fifth.
    Friday,
    /// The sixth.
    Saturday,
    /// The seventh.
    Sunday,
}

/// One opening.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The first moment.
    pub opens: Zoned,
    /// The first moment after it.
    pub closes: Zoned,
}

impl Window {
    /// The opening that is, or the next one; none: there never is one.
    pub fn current_or_next(&self, now: Timestamp) -> Option<Span> {
        let today = now.to_zoned(self.zone.clone()).date();
        (0..=7).find_map(|ahead| {
            let date = today.checked_add(ahead.days()).ok()?;
            let number = date.weekday().to_monday_one_offset();
            self.days.iter().find(|day| **day as i8 == number)?;
            // An hour that a change of clocks leaves out is the one after it.
            let at = |time: Time| date.to_datetime(time).to_zoned(self.zone.clone()).ok();
            let span = Span { opens: at(self.from)?, closes: at(self.to)? };
            (span.closes.timestamp() > now).then_some(span)
        })
    }
}

impl Span {
    /// Whether it has begun. That it has not ended is why it was found.
    pub fn is_open(&self, now: Timestamp) -> bool {
        (self.opens.timestamp()..self.closes.timestamp()).contains(&now)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days: Vec<_> = self.days.iter().map(|day| format!("{day:?}")).collect();
        let (from, to) = (self.from.strftime("%H:%M"), self.to.strftime("%H:%M"));
        write!(f, "{} {from}–{to} {}", days.join(", "), self.zone.iana_name().unwrap_or("UTC"))
    }
}

fn zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TimeZone, D::Error> {
    let name = String::deserialize(deserializer)?;
    TimeZone::get(&name).map_err(|_| D::Error::custom(format!("{name:?} is no time zone such as \"America/New_York\"")))
}

fn zone_name<S: serde::Serializer>(zone: &TimeZone, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(zone.iana_name().unwrap_or("UTC"))
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom(format!("{text:?} is no time of day such as \"14:00\"")))
}
