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

/// What happened.
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
    Stopped { before: String },
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
        entry.hash = entry.sum();
        entry
    }

    /// Whether it is what was written, after what was written before.
    pub(crate) fn follows(&self, before: &str) -> bool {
        self.before == before && self.hash == self.sum()
    }

    fn sum(&self) -> String {
        let unsigned = Self { hash: String::new(), ..self.clone() };
        let text = serde_json::to_vec(&unsigned).unwrap_or_default();
        hex::encode(digest(&SHA256, &text))
    }
}
