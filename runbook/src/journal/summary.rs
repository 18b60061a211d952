//! A run in one line.

use super::{Entry, Event, How, entry::begun};
use crate::{
    exit::Exit,
    plan::{Plan, Step},
};
use jiff::Timestamp;
use std::fmt;

/// Of its journal, without the details.
#[derive(Debug, Clone)]
pub(crate) struct Summary<'a> {
    pub(crate) run: &'a str,
    pub(crate) by: &'a str,
    pub(crate) reason: Option<&'a str>,
    /// Whether it may begin outside the window.
    pub(crate) is_hotfix: bool,
    /// When its plan was first made.
    pub(crate) made_at: Timestamp,
    pub(crate) plan: &'a Plan,
    pub(crate) began: Timestamp,
    /// The moment of the last line.
    pub(crate) last: Timestamp,
    pub(crate) state: State<'a>,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State<'a> {
    /// Somebody goes on with it now; at a step, when it is at one.
    Running(Option<&'a str>),
    /// Somebody asked it to stop, and it did before this step.
    Stopped(&'a str),
    /// A step failed, and what was done before it is still there.
    FailedAt(&'a str),
    /// It was killed, at a step, when it was at one.
    Interrupted(Option<&'a str>),
    /// It is over.
    Ended(Option<Exit>),
}

impl<'a> Summary<'a> {
    /// None: it has no beginning. `is_running`: somebody goes on with it now.
    pub(crate) fn of(entries: &'a [Entry], is_running: bool) -> Option<Self> {
        let (first, last) = (entries.first()?, entries.last()?);
        let Event::Began { run, by, reason, hotfix, made_at, plan } = &first.event else { return None };
        Some(Self {
            run,
            by,
            reason: reason.as_deref(),
            is_hotfix: *hotfix,
            made_at: *made_at,
            plan,
            began: first.at,
            last: last.at,
            state: State::of(entries, is_running),
        })
    }

    /// Whether a rollout was begun, which is what a way back takes back.
    pub(crate) fn has_begun_to_roll_out(&self, entries: &[Entry]) -> bool {
        begun(entries, &self.plan.steps, Step::is_taken_back).next().is_some()
    }

    /// When it last began to change something, on the way back as well.
    pub(crate) fn changed_last(&self, entries: &[Entry]) -> Option<Timestamp> {
        let all = [&self.plan.steps, &self.plan.back].map(|steps| begun(entries, steps, |_| true).last());
        all.into_iter().flatten().max()
    }

    /// The first word of its command: `deploy`, `rollback`.
    pub(crate) fn what(&self) -> &'a str {
        self.plan.command.split_whitespace().nth(1).unwrap_or_default()
    }
}

impl<'a> State<'a> {
    fn of(entries: &'a [Entry], is_running: bool) -> Self {
        let ended = entries.iter().find_map(|entry| match entry.event {
            Event::Ended { exit } => Some(exit),
            _ => None,
        });
        if let Some(code) = ended {
            let known = [Exit::Done, Exit::Failed, Exit::Refused, Exit::RolledBack];
            return Self::Ended(known.into_iter().find(|exit| *exit as u8 == code));
        }
        let at = entries.iter().rev().find_map(|entry| match &entry.event {
            Event::Doing { step } => Some(Some(step.as_str())),
            Event::Did { .. } | Event::TurnedBack => Some(None),
            _ => None,
        });
        let at = at.flatten();
        if is_running {
            return Self::Running(at);
        }
        match entries
            .iter()
            .rev()
            .find(|entry| !matches!(entry.event, Event::Approved { .. }))
            .map(|entry| &entry.event)
        {
            Some(Event::Stopped { next }) => Self::Stopped(next),
            Some(Event::Failed { step, .. }) => Self::FailedAt(step),
            _ => Self::Interrupted(at),
        }
    }

    /// For programs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Running(_) => "running",
            Self::Stopped(_) => "stopped",
            Self::Interrupted(_) => "interrupted",
            Self::Ended(Some(Exit::Done)) => "done",
            Self::Ended(Some(Exit::RolledBack)) => "rolled back",
            Self::Ended(Some(Exit::Refused)) => "refused",
            Self::FailedAt(_) | Self::Ended(_) => "failed",
        }
    }

    /// The step that it is about.
    pub(crate) fn step(self) -> Option<&'a str> {
        match self {
            Self::Running(step) | Self::Interrupted(step) => step,
            Self::Stopped(step) | Self::FailedAt(step) => Some(step),
            Self::Ended(_) => None,
        }
    }

    /// Whether somebody can go on with it.
    pub(crate) fn can_be_resumed(self) -> bool {
        matches!(self, Self::Stopped(_) | Self::FailedAt(_) | Self::Interrupted(_))
    }
}

impl fmt::Display for State<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = if matches!(self, Self::Stopped(_)) { "before" } else { "at" };
        match self.step() {
            Some(step) => write!(f, "{} {between} {step}", self.word()),
            None => f.write_str(self.word()),
        }
    }
}

/// What became of a step.
#[derive(Debug)]
pub(crate) struct Outcome<'a> {
    pub(crate) step: &'a Step,
    /// When it was begun the last time; none: it was so already, or was not come to.
    pub(crate) began: Option<Timestamp>,
    pub(crate) end: End<'a>,
}

/// How a step ended.
#[derive(Debug)]
pub(crate) enum End<'a> {
    Did {
        at: Timestamp,
        how: How,
        evidence: &'a str,
    },
    Failed {
        at: Timestamp,
        why: &'a str,
        evidence: &'a str,
    },
    /// It was begun, and nothing is known of its end.
    Open,
    Never,
}

impl<'a> Summary<'a> {
    /// Every step of the plan, then those of the way back if it was taken.
    pub(crate) fn outcomes(&self, entries: &'a [Entry]) -> Vec<Outcome<'a>> {
        let back = entries.iter().any(|entry| entry.event == Event::TurnedBack);
        let steps = self.plan.steps.iter().chain(self.plan.back.iter().filter(|_| back));
        steps.map(|step| outcome(step, entries)).collect()
    }
}

fn outcome<'a>(step: &'a Step, entries: &'a [Entry]) -> Outcome<'a> {
    let mut outcome = Outcome { step, began: None, end: End::Never };
    for entry in entries {
        match &entry.event {
            Event::Doing { step: id } if *id == step.id => {
                outcome.began = Some(entry.at);
                outcome.end = End::Open;
            }
            Event::Did { step: id, how, evidence } if *id == step.id => {
                outcome.end = End::Did { at: entry.at, how: *how, evidence };
            }
            Event::Failed { step: id, why, evidence } if *id == step.id => {
                outcome.end = End::Failed { at: entry.at, why, evidence };
            }
            _ => {}
        }
    }
    outcome
}
