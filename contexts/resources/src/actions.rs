//! What is decided about types and resources, one use case a file.

pub(crate) mod create_resource;
pub(crate) mod create_type;
pub(crate) mod delete_resource;
pub(crate) mod delete_type;
pub(crate) mod index_documents;
pub(crate) mod known_types;
pub(crate) mod update_resource;
pub(crate) mod update_type;

use crate::model::{Fault, declared::DeclaredField, field::Value};
use db::DbError;
use types::Timestamp;

/// Why a use case does nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no such resource type")]
    NoSuchType,
    #[error("there is no such thing")]
    NotFound,
    #[error("the name is taken")]
    NameTaken,
    #[error("resources of this type exist")]
    TypeInUse,
    #[error("another version is current")]
    OtherVersion,
    #[error("the type keeps changing")]
    TypeChanges,
    #[error("some values cannot be taken")]
    Faults(Vec<Fault>),
    #[error("a schema that was accepted cannot be used: {}", .0.detail)]
    BrokenSchema(Fault),
    #[error(transparent)]
    Database(#[from] DbError),
}

/// The values of one resource as the columns that a statement takes.
#[derive(Default)]
struct Columns<'a> {
    fields: Vec<&'a str>,
    texts: Vec<Option<&'a str>>,
    numbers: Vec<Option<f64>>,
    times: Vec<Option<Timestamp>>,
}

impl<'a> Columns<'a> {
    fn of(values: &'a [(&'a str, Value)]) -> Self {
        let mut columns = Self::default();
        for (field, value) in values {
            columns.push(field, value);
        }
        columns
    }

    fn push(&mut self, field: &'a str, value: &'a Value) {
        let (text, number, time) = match value {
            Value::Text(text) => (Some(&**text), None, None),
            Value::Number(number) => (None, Some(*number), None),
            Value::Time(time) => (None, None, Some(*time)),
        };
        self.fields.push(field);
        self.texts.push(text);
        self.numbers.push(number);
        self.times.push(time);
    }
}

/// A type's definition as it is stored.
fn stored(indexed: &[DeclaredField]) -> serde_json::Value {
    serde_json::json!(indexed)
}
