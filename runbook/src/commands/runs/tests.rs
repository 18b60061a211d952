//! What a reader sees of runs, at the widths of terminals.

use super::*;
use crate::{
    exit::Exit,
    journal::{Event, How},
    plan::tests as plans,
};
use std::fmt::Write as _;

/// A run at fixed moments, a minute between two lines.
pub(crate) fn journal(run: &str, events: Vec<Event>) -> Vec<Entry> {
    let plan = plans::planned(None, "1.2.4", &plans::observed()).unwrap();
    let began = Event::Began {
        run: run.into(),
        by: "ada@laptop-of-ada".into(),
        reason: Some("sessions are lost".into()),
        hotfix: false,
        made_at: "2025-01-17T14:00:00Z".parse().unwrap(),
        plan: Box::new(plan),
    };
    let mut entries: Vec<Entry> = vec![];
    let mut at: Timestamp = "2025-01-17T14:00:00Z".parse().unwrap();
    for event in [began].into_iter().chain(events) {
        let before = entries.last().map_or(String::new(), |entry| entry.hash.clone());
        entries.push(Entry::new(at, event, &before));
        at += jiff::SignedDuration::from_secs(60);
    }
    entries
}

pub(crate) fn doing(step: &str) -> Event {
    Event::Doing { step: step.into() }
}

pub(crate) fn did(step: &str, how: How, evidence: &str) -> Event {
    Event::Did { step: step.into(), how, evidence: evidence.into() }
}

pub(crate) fn failed(step: &str) -> Event {
    let evidence = "auth-service-7d9c 0/1 CrashLoopBackOff\npanicked at services/auth/src/main.rs:12".into();
    Event::Failed { step: step.into(), why: "1 of 5 pods of auth-service does not become ready".into(), evidence }
}

pub(crate) fn human(width: usize) -> Screen {
    Screen { form: Form::Human, width, has_colour: false, is_terminal: true, height: 24 }
}

fn runs() -> Vec<(Vec<Entry>, bool)> {
    let stopped = Event::Stopped { next: "4.3.upgrade".into() };
    let all = [
        (vec![doing("4.3.upgrade")], true),
        (vec![doing("4.3.upgrade")], false),
        (vec![did("3.2.status", How::Already, ""), stopped], false),
        (vec![doing("4.4.rollout"), failed("4.4.rollout")], false),
        (vec![failed("4.4.rollout"), Event::TurnedBack, Event::ended(Exit::RolledBack)], false),
        (vec![Event::ended(Exit::Done)], false),
        (vec![failed("3.2.status"), Event::ended(Exit::Failed)], false),
    ];
    let numbered = all.into_iter().enumerate();
    numbered.map(|(number, (events, is))| (journal(&format!("20250117-14000{number}-3f2a"), events), is)).collect()
}

#[test]
fn runs_in_a_table() {
    let runs = runs();
    let summaries: Vec<_> = runs.iter().map(|(entries, is)| Summary::of(entries, *is).unwrap()).collect();
    let now = "2025-01-17T16:30:00Z".parse().unwrap();
    let mut shown = String::new();
    for width in [60, 100, 160] {
        let text = table(&summaries, now, &human(width)).render(&human(width));
        assert!(text.lines().all(|line| textwrap::core::display_width(line) <= width), "{width}: {text}");
        let _ = write!(shown, "{width}:{text}");
    }
    let plain = Screen { form: Form::Plain, ..human(60) };
    let _ = write!(shown, "plain:\n{}", table(&summaries, now, &plain).render(&plain));
    insta::assert_snapshot!(shown);
}

#[test]
fn for_programs_a_run_is_an_object() {
    let runs = runs();
    let (entries, _) = &runs[3];
    let event = event(&Summary::of(entries, false).unwrap(), "2025-01-17T16:30:00Z".parse().unwrap());
    assert_eq!((&event["state"], &event["step"]), (&"failed".into(), &"4.4.rollout".into()));
    assert_eq!((&event["took_s"], &event["environment"]), (&120.into(), &"production".into()));
}
