//! The catalogue's names are a promise to whoever reads the log.

use events::Kind;
use std::collections::HashSet;

#[test]
fn every_name_is_a_noun_and_a_past_verb_and_is_there_once() {
    let mut names = HashSet::new();
    for name in Kind::ALL.iter().map(|kind| kind.as_str()) {
        let (noun, verb) = name.split_once('.').unwrap_or_default();
        let plain = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        assert!(plain(noun) && plain(verb), "{name}");
        assert!(verb.ends_with("ed"), "{name}");
        assert!(names.insert(name), "{name} is there twice");
    }
}

#[test]
fn the_page_has_a_line_for_every_kind() {
    let page = Kind::page();
    for kind in Kind::ALL {
        assert!(page.contains(&format!("| `{}` | ", kind.as_str())), "{kind:?}");
        assert!(page.contains(kind.meaning()), "{kind:?}");
    }
    assert_eq!(page.lines().count(), Kind::ALL.len() + 4);
}
