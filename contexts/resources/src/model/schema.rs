//! JSON Schema 2020-12, held to what can be checked in bounded time whoever wrote the schema.
//!
//! Regular expressions run on an engine without backtracking. References stay within the schema, form no circle, and may
//! not unfold it beyond [`MAX_UNFOLDED`] places, so a check costs at most that many steps a value of the document.

use super::Fault;
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;
use std::collections::HashMap;

/// Bytes of a schema's text.
const MAX_BYTES: usize = 64 * 1024;
/// Objects and arrays within one another.
const MAX_DEPTH: usize = 32;
/// Places that the schema has once its references are followed.
const MAX_UNFOLDED: usize = 10_000;
/// Regular expressions of a schema, and bytes that each may take when compiled.
const MAX_PATTERNS: usize = 64;
const MAX_PATTERN_BYTES: usize = 256 * 1024;
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A schema that was accepted, ready to check documents.
pub(crate) fn compile(schema: &Value) -> Result<Validator, Fault> {
    if schema.to_string().len() > MAX_BYTES {
        return Err(Fault::new("/schema", "too_large", "a schema has at most 64 kB"));
    }
    if !schema.is_object() {
        return Err(Fault::new("/schema", "shape", "a schema is an object"));
    }
    Walk { root: schema, patterns: 0, unfolded: HashMap::new() }.check()?;
    let patterns = PatternOptions::regex().size_limit(MAX_PATTERN_BYTES);
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(patterns)
        .should_validate_formats(true)
        .build(schema)
        .map_err(|error| Fault::new(format!("/schema{}", error.instance_path()), "not_a_schema", error.to_string()))
}

struct Walk<'a> {
    root: &'a Value,
    patterns: usize,
    /// Places below each target of a reference; none while it is being counted, so a circle is seen.
    unfolded: HashMap<&'a str, Option<usize>>,
}

impl<'a> Walk<'a> {
    fn check(&mut self) -> Result<(), Fault> {
        if self.root.get("$schema").is_some_and(|draft| draft != DRAFT) {
            return Err(Fault::new("/schema/$schema", "draft", format!("must be {DRAFT}")));
        }
        self.count(self.root, 0).map(drop)
    }

    /// Places in this value, references followed. Values that only look like keywords are counted too: that errs on the
    /// safe side.
    fn count(&mut self, value: &'a Value, depth: usize) -> Result<usize, Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::new("/schema", "too_deep", format!("is nested deeper than {MAX_DEPTH}")));
        }
        let mut places = 1;
        match value {
            Value::Array(items) => {
                for item in items {
                    places += self.count(item, depth + 1)?;
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    places += self.keyword(name, member, depth)? + self.count(member, depth + 1)?;
                }
            }
            _ => {}
        }
        if places > MAX_UNFOLDED {
            return Err(Fault::new("/schema", "too_large", format!("unfolds to more than {MAX_UNFOLDED} places")));
        }
        Ok(places)
    }

    fn keyword(&mut self, name: &str, member: &'a Value, depth: usize) -> Result<usize, Fault> {
        match (name, member) {
            ("$ref", Value::String(target)) => self.reference(target, depth),
            ("$dynamicRef" | "$recursiveRef" | "$anchor" | "$dynamicAnchor", Value::String(_)) => {
                Err(Fault::new("/schema", "reference", format!("{name} is not taken; use $ref with a JSON pointer")))
            }
            // Another base would give references another meaning than the one that was checked.
            ("$id", Value::String(_)) => Err(Fault::new("/schema", "reference", "$id is not taken")),
            ("pattern", Value::String(_)) => self.patterns(1),
            ("patternProperties", Value::Object(members)) => self.patterns(members.len()),
            _ => Ok(0),
        }
    }

    fn patterns(&mut self, more: usize) -> Result<usize, Fault> {
        self.patterns += more;
        if self.patterns > MAX_PATTERNS {
            let detail = format!("has more than {MAX_PATTERNS} regular expressions");
            return Err(Fault::new("/schema", "too_many_patterns", detail));
        }
        Ok(0)
    }

    fn reference(&mut self, target: &'a str, depth: usize) -> Result<usize, Fault> {
        match self.unfolded.get(target) {
            Some(Some(places)) => return Ok(*places),
            Some(None) => {
                return Err(Fault::new("/schema", "reference", format!("the reference {target} leads back to itself")));
            }
            None => {}
        }
        let found =
            target.strip_prefix('#').filter(|rest| !rest.contains('%')).and_then(|rest| self.root.pointer(rest));
        let Some(found) = found else {
            let detail = format!("the reference {target} is not the JSON pointer of a place in this schema");
            return Err(Fault::new("/schema", "reference", detail));
        };
        self.unfolded.insert(target, None);
        let places = self.count(found, depth + 1)?;
        self.unfolded.insert(target, Some(places));
        Ok(places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(schema: &Value) -> &'static str {
        compile(schema).map(drop).unwrap_err().code
    }

    #[test]
    fn an_ordinary_schema_is_taken() {
        let schema = json!({
            "$schema": DRAFT, "type": "object", "required": ["title"],
            "properties": {"title": {"$ref": "#/$defs/text"}, "more": {"type": "array", "items": {"$ref": "#/$defs/text"}}},
            "$defs": {"text": {"type": "string", "pattern": "^[a-z]+$"}},
        });
        let schema = compile(&schema).unwrap();
        assert!(schema.is_valid(&json!({"title": "a"})) && !schema.is_valid(&json!({"title": "A"})));
    }

    #[test]
    fn what_could_take_unbounded_time_or_leave_the_machine_is_refused() {
        assert_eq!(refusal(&json!({"$ref": "https://example.com/schema"})), "reference");
        assert_eq!(refusal(&json!({"$ref": "file:///etc/passwd"})), "reference");
        assert_eq!(refusal(&json!({"$ref": "#"})), "reference");
        assert_eq!(refusal(&json!({"$id": "https://example.com/", "$ref": "#/x", "x": true})), "reference");
        assert_eq!(refusal(&json!({"properties": {"x": {"pattern": "(a)\\1"}}})), "not_a_schema");
        assert_eq!(refusal(&json!({"properties": {"x": {"pattern": "\\w{200}{200}"}}})), "not_a_schema");
        assert_eq!(refusal(&json!({"description": "x".repeat(70_000)})), "too_large");
        assert_eq!(refusal(&json!({"$schema": "http://json-schema.org/draft-07/schema#"})), "draft");
        let deep = (0..40).fold(json!({}), |inner, _| json!({"not": inner}));
        assert_eq!(refusal(&deep), "too_deep");
        let many: Vec<_> = (0..65).map(|_| json!({"pattern": "a"})).collect();
        assert_eq!(refusal(&json!({"allOf": many})), "too_many_patterns");
    }

    #[test]
    fn references_that_double_at_each_step_are_refused() {
        let mut definitions = serde_json::Map::new();
        for step in 0..20 {
            let next = json!({"$ref": format!("#/$defs/s{}", step + 1)});
            definitions.insert(format!("s{step}"), json!({"allOf": [next, next]}));
        }
        definitions.insert("s20".to_owned(), json!(true));
        let refused = refusal(&json!({"$ref": "#/$defs/s0", "$defs": definitions}));
        assert!(["too_large", "too_deep"].contains(&refused), "{refused}");
    }

    #[test]
    fn a_fault_of_the_schema_is_told_with_its_place() {
        let fault = compile(&json!({"properties": {"x": {"type": "texts"}}})).map(drop).unwrap_err();
        assert_eq!((fault.code, &*fault.pointer), ("not_a_schema", "/schema/properties/x/type"));
    }
}
