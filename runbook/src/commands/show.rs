//! `runbook show RUN`

use super::runs;
use crate::{
    exit::Exit,
    failure::Failure,
    journal::{End, Entry, Event, How, Kept, Outcome, State, Summary},
    page::{Mark, Note, Page},
    place::Place,
    screen::{Form, Screen},
    time,
};
use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) async fn run(place: &Place, run: &str) -> Result<Exit, Failure> {
    let kept = Kept::find(place, run).await?;
    let entries = kept.entries(run).await?;
    let summary = Summary::of(&entries, kept.pulse(run).await?.is_some());
    let summary = summary.ok_or_else(|| Failure::refused(format!("the journal of {run} has no beginning")))?;
    if place.screen.form == Form::Json {
        let mut event = runs::event(&summary, time::now());
        event["head"] = head(&entries).into();
        event["approved_by"] = approvals(&entries).into();
        Screen::event("run", &event);
        summary.outcomes(&entries).iter().for_each(|outcome| Screen::event("step", &step(outcome)));
    } else {
        place.screen.page(&page(&summary, &entries, time::now()));
    }
    Ok(Exit::Done)
}

/// The hash of the last line, which stands for all of them.
fn head(entries: &[Entry]) -> &str {
    entries.last().map_or("", |entry| &entry.hash)
}

fn approvals(entries: &[Entry]) -> Vec<&str> {
    let approvals = entries.iter().filter_map(|entry| match &entry.event {
        Event::Approved { by } => Some(by.as_str()),
        _ => None,
    });
    approvals.collect()
}

fn page(summary: &Summary<'_>, entries: &[Entry], now: Timestamp) -> Page {
    let mut page = Page::default();
    page.title(format!("{}: {}", summary.run, summary.state));
    page.pair("command", &summary.plan.command);
    page.pair("version", &summary.plan.version);
    page.pair("by", summary.by);
    if let Some(reason) = summary.reason {
        page.pair("reason", reason);
    }
    let is_running = matches!(summary.state, State::Running(_));
    let took = time::distance(summary.began, if is_running { now } else { summary.last });
    page.pair("began", format!("{}, {} ago", summary.began, time::distance(summary.began, now)));
    page.pair("took", took);
    for entry in entries {
        match &entry.event {
            Event::Resumed { by } => page.pair("resumed", format!("{}, by {by}", entry.at)),
            Event::Approved { by } => page.pair("approved", format!("{}, by {by}", entry.at)),
            Event::Stopped { next } => page.pair("stopped", format!("{}, before {next}", entry.at)),
            Event::TurnedBack => page.pair("turned back", entry.at.to_string()),
            _ => {}
        }
    }
    page.pair("journal", head(entries));
    steps(&mut page, &summary.outcomes(entries), is_running);
    if summary.state.can_be_resumed() {
        page.title("To go on");
        page.pair("resume", format!("runbook resume {}", summary.run));
        if let Some(line) = summary.plan.taken_back_by().filter(|_| summary.has_begun_to_roll_out(entries)) {
            page.pair("or go back", line);
        }
    }
    page
}

fn steps(page: &mut Page, outcomes: &[Outcome<'_>], is_running: bool) {
    let (never, come_to): (Vec<_>, Vec<_>) = outcomes.iter().partition(|outcome| matches!(outcome.end, End::Never));
    for group in come_to.chunk_by(|one, next| one.step.section == next.step.section) {
        page.title(group.first().map_or("", |outcome| outcome.step.section.title()));
        for outcome in group {
            item(page, outcome, is_running);
        }
    }
    if !never.is_empty() {
        let ids: Vec<_> = never.iter().map(|outcome| outcome.step.id.as_str()).collect();
        page.text(format!("not come to: {}", ids.join(", ")));
    }
}

fn item(page: &mut Page, outcome: &Outcome<'_>, is_running: bool) {
    let Outcome { step, began, end } = outcome;
    let text = format!("{}  {}", step.id, step.title);
    let took = |at: Timestamp| began.map(|began| Note::text("took", &time::distance(began, at)));
    match end {
        End::Did { how: How::Already, evidence, .. } => {
            let was = Note::text("took", "nothing, it was so already");
            page.item(Mark::Good, &text, [was].into_iter().chain(shown(evidence)).collect());
        }
        End::Did { at, evidence, .. } => {
            page.item(Mark::Good, &text, took(*at).into_iter().chain(shown(evidence)).collect());
        }
        End::Failed { at, why, evidence } => {
            let why = Note::text("why", why);
            let lines = evidence.lines().map(|line| Note::command("seen", line));
            page.item(Mark::Failed, &text, took(*at).into_iter().chain([why]).chain(lines).collect());
        }
        End::Open | End::Never => {
            let known = if is_running { "is being done" } else { "was begun, and may have been done" };
            page.item(Mark::Warning, &text, vec![Note::text("why", known)]);
        }
    }
}

/// Of what was done, its last line; the rest is in the JSON.
fn shown(evidence: &str) -> Option<Note> {
    let line = evidence.lines().rev().find(|line| !line.trim().is_empty())?;
    Some(Note::text("seen", line.trim()))
}

fn step(outcome: &Outcome<'_>) -> Value {
    let Outcome { step, began, end } = outcome;
    let mut event = json!({
        "step": step.id, "section": step.section.title(), "title": step.title, "command": step.command, "began": began,
    });
    match end {
        End::Did { at, how, evidence } => {
            event["state"] = "done".into();
            event["ended"] = json!(at);
            event["how"] = json!(how);
            event["evidence"] = (*evidence).into();
        }
        End::Failed { at, why, evidence } => {
            event["state"] = "failed".into();
            event["ended"] = json!(at);
            event["why"] = (*why).into();
            event["evidence"] = (*evidence).into();
        }
        End::Open => event["state"] = "open".into(),
        End::Never => event["state"] = "not come to".into(),
    }
    event
}

#[cfg(test)]
mod tests;
