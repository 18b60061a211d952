//! What a call, an event, a write key and a trend are: pure rules, no I/O.

pub(crate) mod call;
pub(crate) mod event;
pub(crate) mod moment;
pub(crate) mod origin;
pub(crate) mod trend;
pub(crate) mod write_key;

/// Why an event or a whole call cannot be taken: for programs, and in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) detail: String,
}

impl Fault {
    pub(crate) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}
