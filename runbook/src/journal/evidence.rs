//! What shows that a thing was done or failed, before it is written: without credentials, and not longer than a copy in
//! the cluster has room for.

use super::Event;
use crate::redact::redact;

/// Up to this size a journal has room for evidence, in bytes. The lines themselves then still fit into 256 KiB; a
/// ConfigMap takes 1 MiB, and etcd is no place for logs.
const ROOM: usize = 192 * 1024;
/// Of one evidence.
const MOST: usize = 64 * 1024;
/// Of one evidence, however full the journal is.
const LEAST: usize = 256;

/// The event as it may be written to a journal of that size.
pub(super) fn fitted(event: Event, size: usize) -> Event {
    // Each gets a part of what is left, so that the last one has something as well.
    let most = (ROOM.saturating_sub(size) / 4).clamp(LEAST, MOST);
    match event {
        Event::Did { step, how, evidence } => Event::Did { step, how, evidence: cut(&redact(&evidence, &[]), most) },
        Event::Failed { step, why, evidence } => {
            let why = cut(&redact(&why, &[]), LEAST);
            Event::Failed { step, why, evidence: cut(&redact(&evidence, &[]), most) }
        }
        other => other,
    }
}

/// Beginning and end; what a program says first and last tells the most.
fn cut(text: &str, most: usize) -> String {
    if text.chars().map(written).sum::<usize>() <= most {
        return text.to_owned();
    }
    let half = most.saturating_sub(64) / 2;
    let first: String = text.chars().scan(0, |sum, char| fits(sum, char, half)).collect();
    let last: Vec<_> = text.chars().rev().scan(0, |sum, char| fits(sum, char, half)).collect();
    let last: String = last.into_iter().rev().collect();
    format!("{first}\n[{} bytes left out]\n{last}", text.len() - first.len() - last.len())
}

fn fits(sum: &mut usize, char: char, most: usize) -> Option<char> {
    *sum += written(char);
    (*sum <= most).then_some(char)
}

/// How many bytes a character has in JSON.
fn written(char: char) -> usize {
    match char {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => char.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn failed(evidence: String, size: usize) -> String {
        match fitted(Event::Failed { step: "4.4.rollout".into(), why: "it did not".into(), evidence }, size) {
            Event::Failed { evidence, .. } => evidence,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn long_evidence_keeps_its_beginning_and_its_end() {
        let text = format!("first\n{}last", "between\n".repeat(100_000));
        let cut = failed(text.clone(), 0);
        assert!(cut.starts_with("first\nbetween\n") && cut.ends_with("\nlast"), "{cut}");
        assert!(cut.contains("bytes left out]\n"));
        assert_eq!(failed("as it is".into(), 0), "as it is");
        assert!(failed(text, ROOM).len() <= LEAST, "a full journal takes a little all the same");
    }

    #[test]
    fn credentials_are_not_written() {
        let said = failed("no postgresql://ada:hunter2@db/api".into(), 0);
        assert_eq!(said, "no postgresql://ada:[redacted]@db/api");
    }

    proptest! {
        #[test]
        fn whatever_it_is_it_fits(text in "(?s).{0,3000}", size in (ROOM - 6_000)..ROOM) {
            let most = ((ROOM - size) / 4).max(LEAST);
            let written = serde_json::to_string(&cut(&text, most)).unwrap();
            // Two quotation marks stand around it.
            prop_assert!(written.len() <= most + 2, "{} > {most}", written.len());
        }
    }
}
