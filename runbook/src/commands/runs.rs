//! `runbook runs [ENV]`

use crate::{
    cluster,
    exit::Exit,
    failure::Failure,
    journal::{self, Entry, State, Summary},
    lock::Lock,
    page::{Mark, Note, Page},
    place::Place,
    screen::{Form, Screen},
    table::Table,
    time,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const HEADINGS: [&str; 8] = ["run", "environment", "what", "version", "by", "when", "took", "state"];
/// took, by, version, what, when.
const SPARE: [usize; 5] = [6, 4, 3, 2, 5];

/// Runs by their id, each with whether somebody goes on with it.
type Runs = BTreeMap<String, (Vec<Entry>, bool)>;

pub(crate) async fn run(place: &Place, environment: Option<&str>) -> Result<Exit, Failure> {
    // Only a project has runs.
    place.file()?;
    let (mut runs, changed) = here(place)?;
    if let Some(name) = environment {
        there(place, name, &mut runs).await?;
    }
    let now = time::now();
    let summaries = runs.values().rev().filter_map(|(entries, is_running)| Summary::of(entries, *is_running));
    let wanted = summaries.filter(|summary| environment.is_none_or(|name| name == summary.plan.environment));
    let wanted: Vec<_> = wanted.collect();
    match place.screen.form {
        Form::Json => wanted.iter().for_each(|summary| Screen::event("run", &event(summary, now))),
        Form::Human if wanted.is_empty() => {
            let mut page = Page::default();
            page.text("there are no runs");
            place.screen.page(&page);
        }
        Form::Human | Form::Plain => Screen::text(&table(&wanted, now, &place.screen).render(&place.screen)),
    }
    for failure in &changed {
        warn(place, failure);
    }
    Ok(Exit::Done)
}

/// Those of the project's folder; and what is wrong with others.
fn here(place: &Place) -> Result<(Runs, Vec<Failure>), Failure> {
    let folder = journal::folder(&place.folder)?;
    let (mut runs, mut changed) = (Runs::new(), vec![]);
    for run in journal::all(&folder)? {
        match journal::entries(&folder, &run) {
            Ok(entries) => drop(runs.insert(run.clone(), (entries, journal::is_going_on(&folder, &run)))),
            Err(failure) => changed.push(failure),
        }
    }
    Ok((runs, changed))
}

/// Those of an environment's cluster; of a run that is in both, whichever is further.
async fn there(place: &Place, name: &str, runs: &mut Runs) -> Result<(), Failure> {
    let file = place.file()?;
    let environment = file.environment(name).map_err(Failure::unknown)?;
    let Some(wanted) = &environment.cluster else { return Ok(()) };
    let client = cluster::connect(wanted).await?;
    let (copies, lock) = tokio::try_join!(journal::copy::runs(&client, name), Lock::read(&client, name))?;
    let holder = lock.held.map(|held| held.run);
    for (run, entries) in copies {
        let holds = holder.as_ref() == Some(&run);
        let known = runs.entry(run).or_insert((vec![], false));
        if entries.len() > known.0.len() {
            known.0 = entries;
        }
        known.1 |= holds;
    }
    Ok(())
}

fn table(summaries: &[Summary<'_>], now: Timestamp, screen: &Screen) -> Table<8> {
    let when = |began: Timestamp| match screen.form {
        Form::Human => format!("{} ago", time::distance(began, now)),
        // Who keeps the text reads it later.
        Form::Plain | Form::Json => began.to_string(),
    };
    let mut table = Table::new(HEADINGS, &SPARE);
    for summary in summaries {
        table.row([
            summary.run.to_owned(),
            summary.plan.environment.clone(),
            summary.what().to_owned(),
            summary.plan.version.clone(),
            summary.by.to_owned(),
            when(summary.began),
            time::distance(summary.began, until(summary, now)),
            summary.state.to_string(),
        ]);
    }
    table
}

/// What goes on took until now.
fn until(summary: &Summary<'_>, now: Timestamp) -> Timestamp {
    if matches!(summary.state, State::Running(_)) { now } else { summary.last }
}

/// Of a run, for programs.
pub(crate) fn event(summary: &Summary<'_>, now: Timestamp) -> Value {
    json!({
        "run": summary.run,
        "environment": summary.plan.environment,
        "what": summary.what(),
        "command": summary.plan.command,
        "version": summary.plan.version,
        "by": summary.by,
        "reason": summary.reason,
        "hotfix": summary.is_hotfix,
        "began": summary.began,
        "took_s": until(summary, now).as_second() - summary.began.as_second(),
        "state": summary.state.word(),
        "step": summary.state.step(),
        "plan": summary.plan.hash(),
    })
}

fn warn(place: &Place, failure: &Failure) {
    if place.screen.form == Form::Json {
        Screen::event("warning", &json!({ "what": failure.what, "why": failure.why }));
        return;
    }
    let mut page = Page::default();
    page.item(Mark::Warning, &failure.what, failure.why.iter().map(|why| Note::text("why", why)).collect());
    eprint!("{}", page.render(&place.screen));
}

#[cfg(test)]
pub(crate) mod tests;
