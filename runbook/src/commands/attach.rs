//! `runbook attach RUN`: a run's journal as it grows.

use crate::{
    exit::Exit,
    failure::Failure,
    journal::{Entry, Event, How, Kept, State, Summary},
    lock,
    page::{Mark, Note, Page},
    place::Place,
    plan::Plan,
    screen::{Form, Screen},
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    signal,
    time::{Instant, sleep},
};

/// Between two looks at a file.
const HERE: Duration = Duration::from_millis(250);
/// Between two looks at a cluster.
const THERE: Duration = Duration::from_secs(2);
/// A cluster may be silent for that long.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) async fn run(place: &Place, run: &str) -> Result<Exit, Failure> {
    let kept = Kept::find(place, run).await?;
    tokio::select! {
        exit = follow(place, &kept, run, lock::TTL) => exit,
        _ = signal::ctrl_c() => {
            told(place, &format!("detached; run {run} is as it was"));
            Ok(Exit::Done)
        }
    }
}

/// `ttl`: a colleague whose lock does not change for that long is gone.
async fn follow(place: &Place, kept: &Kept, run: &str, ttl: Duration) -> Result<Exit, Failure> {
    let wait = if matches!(kept, Kept::Here(_)) { HERE } else { THERE };
    let (mut seen, mut heard) = (0, Instant::now());
    let mut beat = (None, Instant::now());
    loop {
        // Asked before the lines are read: who goes on has written nothing more after that.
        let looked = match kept.pulse(run).await {
            Ok(pulse) => kept.entries(run).await.map(|entries| (pulse, entries)),
            Err(failure) => Err(failure),
        };
        let (pulse, entries) = match looked {
            Ok(looked) => looked,
            Err(failure) if failure.exit == Exit::Refused || heard.elapsed() > PATIENCE => return Err(failure),
            Err(_) => {
                sleep(wait).await;
                continue;
            }
        };
        heard = Instant::now();
        if pulse != beat.0 {
            beat = (pulse.clone(), heard);
        }
        let is_gone = matches!(kept, Kept::There { .. }) && beat.1.elapsed() > ttl;
        let is_going_on = pulse.is_some() && !is_gone;
        let Some(summary) = Summary::of(&entries, is_going_on) else {
            return Err(Failure::refused(format!("the journal of {run} has no beginning")));
        };
        entries.iter().skip(seen).for_each(|entry| tell(place, summary.plan, entry));
        seen = entries.len();
        match summary.state {
            State::Running(_) => sleep(wait).await,
            State::Ended(exit) => return Ok(exit.unwrap_or(Exit::Failed)),
            state => {
                told(place, &format!("{state}, and nobody goes on with it: runbook resume {run}"));
                return Ok(Exit::NeedsPerson);
            }
        }
    }
}

fn told(place: &Place, text: &str) {
    if place.screen.form == Form::Json {
        Screen::event("result", &json!({ "what": text }));
    } else {
        let mut page = Page::default();
        page.text(text);
        place.screen.page(&page);
    }
}

fn tell(place: &Place, plan: &Plan, entry: &Entry) {
    if place.screen.form == Form::Json {
        Screen::event("journal", &event(entry));
        return;
    }
    Screen::text(&page(plan, entry).render(&place.screen));
}

/// The line as it is, except for the plan, which `show` has.
fn event(entry: &Entry) -> Value {
    let mut event = json!(entry);
    if let Some(fields) = event.as_object_mut() {
        fields.remove("plan");
        if let Some(kind) = fields.remove("event") {
            fields.insert("kind".to_owned(), kind);
        }
    }
    event
}

fn page(plan: &Plan, entry: &Entry) -> Page {
    let mut page = Page::default();
    let title = |id: &str| {
        let step = plan.steps.iter().chain(&plan.back).find(|step| step.id == id);
        format!("{id}  {}", step.map_or("", |step| &step.title))
    };
    let at = entry.at.strftime("%H:%M:%S");
    match &entry.event {
        Event::Began { by, .. } => page.title(format!("{at} {}, by {by}", plan.command)),
        Event::Resumed { by } => page.text(format!("{at} {by} goes on with it")),
        Event::Approved { by } => page.text(format!("{at} {by} agrees")),
        Event::Doing { step } => page.text(format!("{at} {} …", title(step))),
        Event::Did { step, how, .. } => {
            let how = if *how == How::Already { ": it was so already" } else { "" };
            page.item(Mark::Good, &format!("{at} {}{how}", title(step)), vec![]);
        }
        Event::Failed { step, why, evidence } => {
            let lines = evidence.lines().map(|line| Note::command("seen", line));
            let notes = [Note::text("why", why)].into_iter().chain(lines).collect();
            page.item(Mark::Failed, &format!("{at} {}", title(step)), notes);
        }
        Event::TurnedBack => page.item(Mark::Warning, &format!("{at} the way back is taken"), vec![]),
        Event::Stopped { next } => page.text(format!("{at} stopped before {}", title(next))),
        Event::Ended { exit } => page.text(format!("{at} ended with exit code {exit}")),
    }
    page
}

#[cfg(test)]
mod tests;
