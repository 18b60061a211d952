//! What is needed before a run begins to change things, and what follows from its end.

use crate::{
    exit::Exit,
    failure::Failure,
    journal::{self, Event, Journal},
    memory::{self, Verified},
    page::{Mark, Note, Page},
    place::Place,
    plan::{Action, NoBack, Plan, Step},
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
    // A way back waits for nobody, and what was begun is finished.
    if wanted == 0 || journal.plan()?.is_way_back() || journal.has_begun(|_| true) {
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
    if let Some((version, why)) = left_behind(plan, journal, exit, request.reason) {
        let told = memory::block(client, request.name, version, &why).await;
        told.unwrap_or_else(|failure| report.warn(&format!("that {version} was left could not be noted: {failure}")));
    }
    if exit != Exit::Done {
        return;
    }
    let revision = plan.steps.iter().find_map(|step| match step.does {
        Action::HelmUpgrade { numbers, .. } | Action::HelmRollback { numbers, .. } => Some(numbers.from),
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
}

/// The version that was rolled back from, and why: as soon as a step of the way back is done, whatever comes of the rest.
fn left_behind<'a>(plan: &'a Plan, journal: &Journal, exit: Exit, reason: Option<&str>) -> Option<(&'a str, String)> {
    let done = journal.done();
    let is_back = |step: &Step| matches!(step.does, Action::HelmRollback { .. } | Action::Undo { .. });
    let went_back = plan.steps.iter().any(|step| is_back(step) && done.contains(step.id.as_str()));
    if went_back {
        let from = plan.from.as_deref().filter(|from| *from != plan.version)?;
        return Some((from, reason.unwrap_or("no reason was given").to_owned()));
    }
    let failed = journal.entries().iter().find_map(|entry| match &entry.event {
        Event::Failed { why, .. } => Some(why.clone()),
        _ => None,
    });
    (exit == Exit::RolledBack).then(|| (plan.version.as_str(), failed.unwrap_or_default()))
}

/// What ended a run in the middle: something may have been changed, and the run can be gone on with.
pub(super) fn of_a_run(failure: Failure, journal: &Journal) -> Failure {
    let exit = if journal.has_begun(|_| true) { Exit::Changed } else { failure.exit };
    Failure { exit, ..failure }.cured_by(format!("runbook resume {}", journal.run()))
}

/// The last words, and for a way back the beginning of the incident's report.
pub(super) fn tell(place: &Place, request: &Request<'_>, journal: &Journal, exit: Exit, report: &Report<'_>) {
    let Ok(plan) = journal.plan() else { return };
    let (run, name) = (journal.run(), request.name);
    let is_incident =
        matches!(exit, Exit::RolledBack | Exit::RollbackFailed) || exit == Exit::Done && plan.is_way_back();
    let written = is_incident.then(|| incident(place, journal)).transpose();
    let incident = written.unwrap_or_else(|failure| {
        report.warn(&format!("the incident's report cannot be written: {failure}"));
        None
    });
    let (mark, what) = match exit {
        Exit::Done => (Mark::Good, format!("{name} is at {}", plan.version)),
        Exit::Failed => (Mark::Failed, "it failed, and nothing was changed".to_owned()),
        Exit::Refused => (Mark::Failed, "it was refused, and nothing was changed".to_owned()),
        Exit::RolledBack => (Mark::Failed, format!("it failed, and {name} is as it was before")),
        Exit::NeedsPerson => (Mark::Warning, "stopped before anything was changed".to_owned()),
        Exit::RollbackFailed => (Mark::Failed, "the way back failed".to_owned()),
        _ => (Mark::Failed, "it is not done, and something was changed".to_owned()),
    };
    let Next { resume, rollback, ways_out } = next(journal, plan, exit);
    if place.screen.form == Form::Json {
        let fields = json!({ "exit": exit as u8, "what": what, "run": run, "resume": resume, "rollback": rollback,
                             "ways_out": ways_out, "incident": incident, "journal": journal.head() });
        Screen::event("result", &fields);
        return;
    }
    let mut notes = vec![Note::command("run", run)];
    notes.extend(resume.iter().map(|line| Note::command("go on", line)));
    notes.extend(rollback.iter().map(|line| Note::command("go back", line)));
    notes.extend(ways_out.iter().map(|text| Note::text("no way back", text)));
    notes.extend(incident.iter().map(|path| Note::command("report", path)));
    let mut page = Page::default();
    page.text("");
    page.item(mark, &what, notes);
    place.screen.page(&page);
}

/// What can be done about a run's end.
#[derive(Debug, PartialEq, Eq)]
struct Next {
    resume: Option<String>,
    rollback: Option<String>,
    /// Where no older version could start.
    ways_out: Option<String>,
}

fn next(journal: &Journal, plan: &Plan, exit: Exit) -> Next {
    let resume = matches!(exit, Exit::Changed | Exit::RollbackFailed | Exit::NeedsPerson);
    let has_rolled_out = exit == Exit::Changed && journal.has_begun_to_roll_out();
    let no_back = plan.no_back.as_ref().filter(|_| has_rolled_out);
    Next {
        resume: resume.then(|| format!("runbook resume {}", journal.run())),
        rollback: has_rolled_out.then(|| plan.taken_back_by()).flatten(),
        ways_out: no_back.map(|NoBack { why, ways_out }| format!("{why}; {ways_out}")),
    }
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
            Event::Stopped { next } => writeln!(text, "- {at} stopped before {next}"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{self as plans, way_back::stranding};

    #[test]
    fn where_no_older_version_could_start_the_ways_out_are_named_once_the_rollout_was_begun() {
        for (plan, step, expected) in [
            (stranding(), "3.5.up", (false, false)),
            (stranding(), "4.3.upgrade", (false, true)),
            (plans::planned(None, "1.2.4", &plans::observed()).unwrap(), "4.3.upgrade", (true, false)),
            // What serves is what served before: there is nothing to take back.
            (plans::planned(None, "1.2.4", &plans::observed()).unwrap(), "3.5.up", (false, false)),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let run = "20250117-140000-0000";
            let mut journal = Journal::begin(folder.path(), run, plans::began(run, plan.clone())).unwrap();
            journal.append(Event::Doing { step: step.into() }).unwrap();
            let next = next(&journal, &plan, Exit::Changed);
            assert_eq!((next.rollback.is_some(), next.ways_out.is_some()), expected, "{step}: {next:?}");
            assert!(next.ways_out.is_none_or(|text| text.contains("(1) roll forward") && text.contains("(3) restore")));
        }
    }
}
