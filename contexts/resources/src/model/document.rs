//! Documents: what none may contain, whether one fits its type, and JSON Merge Patch (RFC 7396).

use super::{Fault, declared::DeclaredField, field::Value as FieldValue};
use jsonschema::Validator;
use serde_json::{Map, Value};

/// More faults than these help nobody.
const MAX_FAULTS: usize = 50;

/// The values of the declared fields, or every fault of the document.
pub(crate) fn check<'a>(
    document: &Value,
    validator: &Validator,
    indexed: &'a [DeclaredField],
) -> Result<Vec<(&'a str, FieldValue)>, Vec<Fault>> {
    let mut faults: Vec<_> = validator.iter_errors(document).take(MAX_FAULTS).map(|error| described(&error)).collect();
    let mut values = Vec::with_capacity(indexed.len());
    for field in indexed {
        match field.value_in(document) {
            Ok(value) => values.extend(value.map(|value| (&*field.field, value))),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(values) } else { Err(faults) }
}

fn described(error: &jsonschema::ValidationError<'_>) -> Fault {
    // The value itself is left out: it may be long, and may be a secret.
    Fault::new(format!("/document{}", error.instance_path()), "schema", error.masked().to_string())
}

/// What the document becomes: members of the patch replace, null removes, objects go deeper.
pub(crate) fn merge(document: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, change) in patch {
        match change {
            Value::Null => {
                document.remove(&name);
            }
            Value::Object(patch) => {
                let member = document.entry(name).or_insert(Value::Null);
                if !member.is_object() {
                    *member = Value::Object(Map::new());
                }
                if let Value::Object(member) = member {
                    merge(member, patch);
                }
            }
            value => {
                document.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{declared::FieldState, field::FieldType, schema};
    use serde_json::json;

    fn merged(document: Value, patch: Value) -> Value {
        let (Value::Object(mut document), Value::Object(patch)) = (document, patch) else { panic!("objects") };
        merge(&mut document, patch);
        Value::Object(document)
    }

    #[test]
    fn a_merge_patch_does_what_rfc_7396_says() {
        // Its appendix A, where both sides are objects.
        for (document, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            assert_eq!(merged(document, patch), result);
        }
    }

    #[test]
    fn all_faults_are_told_at_once_and_none_repeats_the_value() {
        let validator = schema::compile(&json!({"properties": {"a": {"type": "number"}}, "required": ["b"]})).unwrap();
        let indexed = [DeclaredField { field: "c".to_owned(), kind: FieldType::Number, state: FieldState::Ready }];
        let faults = check(&json!({"a": "hush", "c": "x"}), &validator, &indexed).unwrap_err();
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(!format!("{faults:?}").contains("hush"), "{faults:?}");
    }
}
