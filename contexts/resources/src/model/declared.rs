//! What a type has declared of its fields, and whether lists can go by each of them.

use super::{
    Fault,
    field::{FieldType, IndexedField, Value},
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::ToSchema;

/// A field that lists can filter and sort by, once it is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct DeclaredField {
    /// The member's name; with dots, a member of a member.
    #[schema(example = "priority")]
    pub(crate) field: String,
    /// What its values are.
    #[serde(rename = "type")]
    pub(crate) kind: FieldType,
    /// Whether lists can go by it.
    pub(crate) state: FieldState,
}

/// Whether lists can go by a declared field. New and changed documents are indexed by it in any state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FieldState {
    /// They can.
    Ready,
    /// Not yet: a job indexes the documents that were there before.
    Building,
    /// They cannot: the job found documents that do not fit.
    Failed,
}

impl DeclaredField {
    pub(crate) fn new(field: &IndexedField, state: FieldState) -> Self {
        Self { field: field.field.clone(), kind: field.kind, state }
    }

    fn is(&self, field: &IndexedField) -> bool {
        self.field == field.field && self.kind == field.kind
    }

    /// Its value in a document, if it has one.
    pub(crate) fn value_in(&self, document: &Json) -> Result<Option<Value>, Fault> {
        let found = self.field.split('.').try_fold(document, |value, name| value.get(name));
        match found {
            None | Some(Json::Null) => Ok(None),
            Some(value) => self.kind.read(value).map(Some).ok_or_else(|| {
                Fault::new(format!("/document/{}", self.field.replace('.', "/")), "indexed", self.kind.expects())
            }),
        }
    }
}

/// The fields of a type that had others before: ready is what was ready and has the same type of values.
pub(crate) fn declare(wanted: &[IndexedField], before: &[DeclaredField]) -> Vec<DeclaredField> {
    let was_ready = |field| before.iter().any(|known| known.is(field) && known.state == FieldState::Ready);
    let state = |field| if was_ready(field) { FieldState::Ready } else { FieldState::Building };
    wanted.iter().map(|field| DeclaredField::new(field, state(field))).collect()
}

/// Whether the documents are indexed by exactly these fields, or are about to be.
pub(crate) fn is_indexed_by(before: &[DeclaredField], wanted: &[IndexedField]) -> bool {
    let is_there = |field| before.iter().any(|known| known.is(field) && known.state != FieldState::Failed);
    before.len() == wanted.len() && wanted.iter().all(is_there)
}

#[cfg(test)]
mod tests {
    use super::{super::field::MAX_TEXT, *};
    use serde_json::json;

    fn wanted(field: &str, kind: FieldType) -> IndexedField {
        IndexedField { field: field.to_owned(), kind }
    }

    fn declared(field: &str, kind: FieldType, state: FieldState) -> DeclaredField {
        DeclaredField::new(&wanted(field, kind), state)
    }

    #[test]
    fn values_are_found_by_dotted_paths_and_must_have_the_declared_type() {
        let document = json!({"a": {"b": 2}, "c": null, "t": "2025-01-17T14:00:00Z", "bad": "tomorrow"});
        let value = |path, kind| declared(path, kind, FieldState::Building).value_in(&document);
        assert_eq!(value("a.b", FieldType::Number), Ok(Some(Value::Number(2.0))));
        assert_eq!(value("a.x", FieldType::Number), Ok(None));
        assert_eq!(value("c", FieldType::Text), Ok(None));
        assert!(matches!(value("t", FieldType::Time), Ok(Some(Value::Time(_)))));
        assert_eq!(value("a.b", FieldType::Text).unwrap_err().pointer, "/document/a/b");
        assert_eq!(value("bad", FieldType::Time).unwrap_err().code, "indexed");
    }

    #[test]
    fn a_text_that_no_index_holds_is_refused() {
        let document = json!({"a": "x".repeat(MAX_TEXT + 1)});
        assert!(declared("a", FieldType::Text, FieldState::Ready).value_in(&document).is_err());
    }

    #[test]
    fn only_a_field_that_was_ready_with_the_same_type_stays_ready() {
        let before = [
            declared("same", FieldType::Text, FieldState::Ready),
            declared("other", FieldType::Text, FieldState::Ready),
            declared("half", FieldType::Text, FieldState::Building),
        ];
        let wanted = [
            wanted("new", FieldType::Text),
            wanted("half", FieldType::Text),
            wanted("other", FieldType::Number),
            wanted("same", FieldType::Text),
        ];
        let states: Vec<_> = declare(&wanted, &before).iter().map(|field| field.state).collect();
        assert_eq!(states, [FieldState::Building, FieldState::Building, FieldState::Building, FieldState::Ready]);
    }

    #[test]
    fn documents_are_indexed_anew_for_another_set_of_fields_or_after_a_failure() {
        let [a, b] = ["a", "b"].map(|name| wanted(name, FieldType::Text));
        let before = |state| [declared("b", FieldType::Text, FieldState::Ready), declared("a", FieldType::Text, state)];
        let both = [a.clone(), b.clone()];
        assert!(is_indexed_by(&before(FieldState::Ready), &both), "in another order");
        assert!(is_indexed_by(&before(FieldState::Building), &both), "a job is at it");
        assert!(!is_indexed_by(&before(FieldState::Failed), &both));
        assert!(!is_indexed_by(&before(FieldState::Ready), &[a]), "values are to go");
        assert!(!is_indexed_by(&before(FieldState::Ready), &[b, wanted("a", FieldType::Time)]));
    }
}
