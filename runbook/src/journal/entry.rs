//! The lines of a journal.

use crate::{
    exit::Exit,
    plan::{Plan, Step},
};
use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) at: Timestamp,
    #[serde(flatten)]
    pub(crate) event: Event,
    /// The hash of the line before; of the first line, empty.
    pub(crate) before: String,
    /// SHA-256 of everything else in this line.
    pub(crate) hash: String,
}

/// What happened. No field has the name of one of an [`Entry`]: both are in one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// A run began: its whole plan, and the moment that is in it, so that nothing else is needed to go on with it or to
    /// plan it anew. A hotfix may begin outside the window.
    Began { run: String, by: String, reason: Option<String>, hotfix: bool, made_at: Timestamp, plan: Box<Plan> },
    /// Somebody goes on with it.
    Resumed { by: String },
    /// Another person agrees.
    Approved { by: String },
    /// A step is about to be done. Without a `Did` after it, it may have been.
    Doing { step: String },
    /// A step is done.
    Did { step: String, how: How, evidence: String },
    /// A step failed.
    Failed { step: String, why: String, evidence: String },
    /// From here on the plan's way back is taken.
    TurnedBack,
    /// Somebody asked it to stop, and it did before this step.
    Stopped { next: String },
    /// It is over, with this exit code; none of its steps is done any more.
    Ended { exit: u8 },
}

/// How a step came to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum How {
    /// By this run, now.
    Applied,
    /// It was so already.
    Already,
}

/// When effects among these steps were begun that are `wanted`: they may have been done.
pub(super) fn begun<'a>(
    entries: &'a [Entry],
    steps: &'a [Step],
    wanted: impl Fn(&Step) -> bool + 'a,
) -> impl Iterator<Item = Timestamp> + 'a {
    let is_one = move |id: &str| steps.iter().any(|step| step.id == id && !step.does.is_question() && wanted(step));
    let begun = move |entry: &&Entry| matches!(&entry.event, Event::Doing { step } if is_one(step));
    entries.iter().filter(begun).map(|entry| entry.at)
}

impl Event {
    pub(crate) fn ended(exit: Exit) -> Self {
        Self::Ended { exit: exit as u8 }
    }
}

impl Entry {
    pub(crate) fn new(at: Timestamp, event: Event, before: &str) -> Self {
        let mut entry = Self { at, event, before: before.to_owned(), hash: String::new() };
        entry.hash = sum(&serde_json::to_vec(&entry).unwrap_or_default());
        entry
    }
}

/// Whether a line is what was written after the line with the hash `before`. Of its text alone: whatever version of this
/// program wrote it, and whether this one knows what is in it or not.
pub(super) fn follows(line: &str, before: &str) -> bool {
    let signed = || line.strip_suffix("\"}")?.rsplit_once("\"hash\":\"");
    let Some((text, hash)) = signed() else { return false };
    let is_after = text.ends_with(&format!("\"before\":\"{before}\","));
    is_after && hash == sum(format!("{text}\"hash\":\"\"}}").as_bytes())
}

fn sum(unsigned: &[u8]) -> String {
    hex::encode(digest(&SHA256, unsigned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{journal::file::read, plan::tests as plans};

    const RUN: &str = "20250117-140000-0000";

    /// Lines of events as they are in a file, each after the one before.
    fn lines(events: &[&str]) -> String {
        let mut before = String::new();
        let line = |event: &&str| {
            let unsigned = format!(r#"{{"at":"2025-01-17T14:00:00Z",{event},"before":"{before}","hash":""}}"#);
            before = sum(unsigned.as_bytes());
            format!("{}{before}\"}}\n", unsigned.strip_suffix("\"}").unwrap())
        };
        events.iter().map(line).collect()
    }

    #[test]
    fn what_is_written_is_read_and_no_byte_of_it_can_be_another() {
        let first = Entry::new("2025-01-17T14:00:00Z".parse().unwrap(), Event::Resumed { by: "ada".into() }, "");
        let second = Entry::new(first.at, Event::TurnedBack, &first.hash);
        let text = [&first, &second].map(|entry| serde_json::to_string(entry).unwrap() + "\n").concat();
        assert_eq!(text, lines(&[r#""event":"resumed","by":"ada""#, r#""event":"turned_back""#]));
        assert_eq!(read(RUN, &text).unwrap(), [first, second]);
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            // A line that is cut in two is no line either; the last line's end is what `whole` asks for.
            bytes[place] = if bytes[place] == b'x' { b'y' } else { b'x' };
            let is_last = place == text.len() - 1;
            let changed = String::from_utf8(bytes).unwrap();
            assert!(is_last || read(RUN, &changed).is_err(), "{place}: {changed}");
        }
    }

    #[test]
    fn every_kind_of_line_is_read_again() {
        let plan = plans::planned(None, "1.2.4", &plans::observed()).unwrap();
        let (step, by) = (|| "3.5.up".to_owned(), || "ada".to_owned());
        let events = [
            plans::began(RUN, plan),
            Event::Resumed { by: by() },
            Event::Approved { by: by() },
            Event::Doing { step: step() },
            Event::Did { step: step(), how: How::Already, evidence: "it is there".into() },
            Event::Failed { step: step(), why: "it was told to".into(), evidence: String::new() },
            Event::TurnedBack,
            Event::Stopped { next: step() },
            Event::ended(Exit::Done),
        ];
        for event in events {
            let entry = Entry::new("2025-01-17T14:00:00Z".parse().unwrap(), event, "");
            let line = serde_json::to_string(&entry).unwrap() + "\n";
            assert_eq!(read(RUN, &line).unwrap(), [entry], "{line}");
        }
    }

    #[test]
    fn what_another_version_wrote_is_not_taken_for_changed() {
        let more = lines(&[r#""event":"resumed","by":"ada","from":"a laptop""#, r#""event":"turned_back""#]);
        assert_eq!(read(RUN, &more).unwrap().len(), 2, "it knows everything that this one wants to know");
        let other = read(RUN, &lines(&[r#""event":"turned_back""#, r#""event":"watched""#])).unwrap_err();
        let said = "the journal of 20250117-140000-0000 was written by another version of runbook than this one";
        assert_eq!(other.what, said);
        assert!(other.why.unwrap().starts_with("line 2 is whole, and this one does not know what is in it: unknown"));
    }
}
