//! Declared fields: the places of a document that lists can filter and sort by.

use super::Fault;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::fmt;
use types::Timestamp;
use utoipa::ToSchema;

/// Fields of one type.
const MAX_FIELDS: usize = 16;
/// Characters of a field's path.
const MAX_PATH: usize = 200;
/// Bytes of an indexed text: an entry of an index has at most 2,704.
pub(crate) const MAX_TEXT: usize = 512;
/// The year 1, in milliseconds: PostgreSQL and RFC 3339 agree from there on.
pub(super) const MIN_TIME: i64 = -62_135_596_800_000;
/// The end of the year 9999, likewise.
pub(super) const MAX_TIME: i64 = 253_402_207_200_000;

/// A field that lists are to filter and sort by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IndexedField {
    /// The member's name; with dots, a member of a member.
    #[schema(example = "priority")]
    pub(crate) field: String,
    /// What its values are.
    #[serde(rename = "type")]
    pub(crate) kind: FieldType,
}

/// What the values of an indexed field are. A document may leave the field out or have null there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FieldType {
    /// Texts, compared by code point; at most 512 bytes.
    Text,
    /// Numbers, as 64-bit floating point.
    Number,
    /// Times as texts (RFC 3339).
    Time,
}

/// A value of a declared field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Number(f64),
    Time(Timestamp),
}

impl Value {
    pub(crate) fn kind(&self) -> FieldType {
        match self {
            Self::Text(_) => FieldType::Text,
            Self::Number(_) => FieldType::Number,
            Self::Time(_) => FieldType::Time,
        }
    }
}

/// As a filter writes it; [`FieldType::parse`] reads exactly the same value back.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Time(time) => time.fmt(f),
        }
    }
}

impl FieldType {
    /// A value as a filter writes it.
    pub(crate) fn parse(self, text: &str) -> Option<Value> {
        match self {
            Self::Text => (text.len() <= MAX_TEXT && !text.contains('\0')).then(|| Value::Text(text.to_owned())),
            Self::Number => text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Number),
            Self::Time => {
                // To the millisecond, as every time of the API is written.
                let millis = text.parse::<Timestamp>().ok()?.as_millis();
                (MIN_TIME..=MAX_TIME).contains(&millis).then(|| Value::Time(Timestamp::from_millis(millis)))
            }
        }
    }

    pub(super) fn read(self, value: &Json) -> Option<Value> {
        match (self, value) {
            (Self::Number, Json::Number(number)) => number.as_f64().map(Value::Number),
            (Self::Text | Self::Time, Json::String(text)) => self.parse(text),
            _ => None,
        }
    }

    pub(super) fn expects(self) -> String {
        match self {
            Self::Text => format!("is indexed as text: at most {MAX_TEXT} bytes"),
            Self::Number => "is indexed as number".to_owned(),
            Self::Time => "is indexed as time (RFC 3339)".to_owned(),
        }
    }
}

/// Whether these can be declared together.
pub(crate) fn check(fields: &[IndexedField]) -> Vec<Fault> {
    let mut faults = vec![];
    if fields.len() > MAX_FIELDS {
        faults.push(Fault::new("/indexed", "too_many", format!("at most {MAX_FIELDS} fields can be indexed")));
    }
    for (place, field) in fields.iter().enumerate() {
        let pointer = format!("/indexed/{place}/field");
        if !is_path(&field.field) {
            faults.push(Fault::new(pointer, "field", "names of letters, digits, _ and -, with dots between them"));
        } else if field.field == "id" {
            // `sort=id` means the resource's own.
            faults.push(Fault::new(pointer, "field", "id is always there and needs no declaration"));
        } else if fields[..place].iter().any(|other| other.field == field.field) {
            faults.push(Fault::new(pointer, "duplicate", "is declared twice"));
        }
    }
    faults
}

fn is_path(path: &str) -> bool {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    // A leading hyphen would read as a descending order.
    path.len() <= MAX_PATH && !path.starts_with('-') && path.split('.').all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(field: &str, kind: FieldType) -> IndexedField {
        IndexedField { field: field.to_owned(), kind }
    }

    #[test]
    fn fields_have_plain_unique_names() {
        let names =
            |names: &[&str]| check(&names.iter().map(|name| field(name, FieldType::Text)).collect::<Vec<_>>()).len();
        assert_eq!(names(&["a", "b.c", "größe"]), 0);
        assert_eq!(names(&["a", "a", "-a", "a:b", "a,b", "", ".", "id"]), 7);
        assert_eq!(check(&vec![field("a", FieldType::Text); 17]).len(), 17);
    }
}
