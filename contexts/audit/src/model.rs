//! Which entries are asked for.

use events::{Audience, Kind};
use types::Timestamp;

/// What a list is filtered by; nothing: everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// Of whoever did it.
    pub(crate) actor: Option<String>,
    /// All names that are asked for.
    pub(crate) actions: Vec<&'static str>,
    /// Of what it was done to.
    pub(crate) target: Option<String>,
    /// From then on.
    pub(crate) since: Option<Timestamp>,
    /// Before then.
    pub(crate) until: Option<Timestamp>,
}

/// Every name that the audit log shows: what only carries work on is none of it.
pub(crate) fn shown() -> impl Iterator<Item = &'static str> {
    Kind::ALL.iter().filter(|kind| kind.audience() != Audience::Hidden).map(|kind| kind.as_str())
}

/// The names that an action such as `resource.created`, `resource.*` or `*` means; none: it means nothing.
pub(crate) fn actions(pattern: &str) -> Option<Vec<&'static str>> {
    let all = shown();
    let named: Vec<_> = match pattern.strip_suffix('*') {
        Some(prefix) if prefix.is_empty() || prefix.ends_with('.') => {
            all.filter(|name| name.starts_with(prefix)).collect()
        }
        Some(_) => vec![],
        None => all.filter(|name| *name == pattern).collect(),
    };
    (!named.is_empty()).then_some(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_the_events_of_a_noun() {
        assert_eq!(actions("resource.*").unwrap(), ["resource.created", "resource.updated", "resource.deleted"]);
        assert_eq!(actions("resource.created").unwrap(), ["resource.created"]);
        assert_eq!(actions("*").unwrap().len(), shown().count());
        assert_eq!(actions("message.created"), None, "hidden");
        for nothing in ["", "resource", "res*", "resource.*.x", "*.created"] {
            assert_eq!(actions(nothing), None, "{nothing}");
        }
    }
}
