//! What is needed before a run begins to change things, and what follows from its end.

use crate::{
    exit::Exit,
    failure::Failure,
    journal::{self, Event, Journal},
    memory::{self, Verified},
    page::{Mark, Note, Page},
    place::Place,
    plan::{Action, Plan},
    report::Report,
    request::Request,
    screen::{Form, Screen},
    time,
};
use serde_json::json;
use std::{collections::BTreeSet, fmt::Write as _, fs};

/// Journals who agreed meanwhile; why the run has to wait, if it has.
pub(super) async fn missing_approvals(
    request: &Request<'_>,
    client: &kube::Client,
    journal: &mut Journal,
) -> Result<Option<Failure>, Failure> {
    let wanted = request.environment.approvals;
    if wanted == 0 || is_rollback(journal.plan()?) {
        return Ok(None);
    }
    let known = |journal: &Journal| -> BTreeSet<String> {
        let approved = journal.entries().iter().filter_map(|entry| match &entry.event {
            Event::Approved { by } => Some(by.clone()),
            _ => None,
        });
        approved.collect()
    };
    for by in journal::copy::approvals(client, journal.run()).await? {
        if !known(journal).contains(&by) {
            journal.append(Event::Approved { by })?;
        }
    }
    let missing = wanted.saturating_sub(known(journal).len());
    if missing == 0 {
        return Ok(None);
    }
    let who = if missing == 1 { "another person has".to_owned() } else { format!("{missing} other people have") };
    let failure = Failure { exit: Exit::NeedsPerson, ..Failure::refused(format!("{who} to agree first")) };
    let run = journal.run();
    Ok(Some(failure.because(format!("they: runbook approve {run}")).cured_by(format!("runbook resume {run}"))))
}

/// A way back waits for nobody.
fn is_rollback(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| matches!(step.does, Action::HelmRollback { .. } | Action::Undo { .. }))
}

/// What worked is a target for a way back, and what was rolled back is not deployed again by mistake. That nobody could
/// be told is no reason to call the run failed.
pub(super) async fn remember(
    request: &Request<'_>,
    client: &kube::Client,
    journal: &Journal,
    exit: Exit,
    report: &Report<'_>,
) {
    let Ok(plan) = journal.plan() else { return };
    if exit != Exit::Done {
        return;
    }
    let revision = plan.steps.iter().find_map(|step| match step.does {
        Action::HelmUpgrade { revision, .. } | Action::HelmRollback { revision, .. } => Some(revision),
        _ => None,
    });
    if let Some(revision) = revision {
        let (version, run) = (plan.version.clone(), journal.run().to_owned());
        let verified = Verified { revision, version, run, at: time::now() };
        let told = memory::remember_verified(client, request.name, verified).await;
        told.unwrap_or_else(|failure| report.warn(&format!("that this version works could not be noted: {failure}")));
    }
    let told = memory::unblock(client, request.name, &plan.version).await;
    told.unwrap_or_else(|failure| report.warn(&format!("that {} works could not be noted: {failure}", plan.version)));
    if let Some(from) = plan.from.as_ref().filter(|from| is_rollback(plan) && **from != plan.version) {
        let why = request.reason.unwrap_or("no reason was given");
        let told = memory::block(client, request.name, from, why).await;
        told.unwrap_or_else(|failure| {
            report.warn(&format!("that {from} was rolled back could not be noted: {failure}"));
        });
    }
}

/// The last words, and for a way back the beginning of the incident's report.
pub(super) fn tell(place: &Place, request: &Request<'_>, journal: &Journal, exit: Exit) -> Result<(), Failure> {
    let plan = journal.plan()?;
    let (run, name) = (journal.run(), request.name);
    let incident = match exit {
        Exit::RolledBack | Exit::RollbackFailed => Some(incident(place, journal)?),
        Exit::Done if is_rollback(plan) => Some(incident(place, journal)?),
        _ => None,
    };
    let (mark, what) = match exit {
        Exit::Done => (Mark::Good, format!("{name} is at {}", plan.version)),
        Exit::Failed => (Mark::Failed, "it failed, and nothing was changed".to_owned()),
        Exit::RolledBack => (Mark::Failed, format!("it failed, and {name} is as it was before")),
        Exit::NeedsPerson => (Mark::Warning, "stopped before anything was changed".to_owned()),
        Exit::RollbackFailed => (Mark::Failed, "the way back failed".to_owned()),
        _ => (Mark::Failed, "it is not done, and something was changed".to_owned()),
    };
    let resume = matches!(exit, Exit::Changed | Exit::RollbackFailed | Exit::NeedsPerson);
    let resume = resume.then(|| format!("runbook resume {run}"));
    let rollback = (exit == Exit::Changed).then(|| format!("runbook rollback {name}"));
    if place.screen.form == Form::Json {
        let fields = json!({ "exit": exit as u8, "what": what, "run": run, "resume": resume, "rollback": rollback,
                             "incident": incident, "journal": journal.head() });
        Screen::event("result", &fields);
        return Ok(());
    }
    let mut notes = vec![Note::command("run", run)];
    notes.extend(resume.iter().map(|line| Note::command("go on", line)));
    notes.extend(rollback.iter().map(|line| Note::command("go back", line)));
    notes.extend(incident.iter().map(|path| Note::command("report", path)));
    let mut page = Page::default();
    page.text("");
    page.item(mark, &what, notes);
    place.screen.page(&page);
    Ok(())
}

/// A report with what the journal knows, and the document's four headings for what it cannot.
fn incident(place: &Place, journal: &Journal) -> Result<String, Failure> {
    let plan = journal.plan()?;
    let name = format!(".runbook/incidents/{}.md", journal.run());
    let path = place.folder.join(&name);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| Failure::of_file(folder, &error))?;
    }
    let mut text =
        format!("# Rollback Notification - {} Deployment\n\n`{}`\n\n## Timeline\n", plan.environment, plan.command);
    let mut reason = String::new();
    for entry in journal.entries() {
        let at = entry.at.strftime("%Y-%m-%d %H:%M:%S UTC");
        let _ = match &entry.event {
            Event::Began { by, reason: given, .. } => {
                given.clone().unwrap_or_default().clone_into(&mut reason);
                writeln!(text, "- {at} begun by {by}")
            }
            Event::Resumed { by } => writeln!(text, "- {at} gone on with by {by}"),
            Event::Approved { by } => writeln!(text, "- {at} approved by {by}"),
            Event::Did { step, .. } => writeln!(text, "- {at} {step}"),
            Event::Failed { step, why, .. } => {
                reason.is_empty().then(|| why.clone_into(&mut reason));
                writeln!(text, "- {at} {step} failed: {why}")
            }
            Event::TurnedBack => writeln!(text, "- {at} the way back was taken"),
            Event::Stopped { before } => writeln!(text, "- {at} stopped before {before}"),
            Event::Ended { exit } => writeln!(text, "- {at} ended with exit code {exit}"),
            Event::Doing { .. } => Ok(()),
        };
    }
    let _ = write!(
        text,
        "\n## Reason for rollback\n{reason}\n\n## Impact assessment\n\n## Root cause analysis\n\n## Preventive measures\n"
    );
    fs::write(&path, text).map_err(|error| Failure::of_file(&path, &error))?;
    Ok(name)
}
