//! What a resource type, a document and a list are: pure rules, no I/O.

pub(crate) mod declared;
pub(crate) mod document;
pub(crate) mod field;
pub(crate) mod list;
pub(crate) mod schema;

/// What a resource type can be called; nothing else needs to be looked for.
pub(crate) fn is_type_name(name: &str) -> bool {
    let is_tail = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    name.len() <= 63 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_tail)
}

/// A value that cannot be taken: where, what kind of fault, the same in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) pointer: String,
    pub(crate) code: &'static str,
    pub(crate) detail: String,
}

impl Fault {
    pub(crate) fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }
}
