//! `runbook plan`, `deploy`, `rollback` and `resume`: what changes an environment, or would.

use crate::{
    cluster,
    exit::Exit,
    failure::Failure,
    journal::{self, Entry, Event, Journal, Kept, Summary},
    lock,
    place::Place,
    plan,
    report::Report,
    request::Request,
    run::{self, Asked, Words},
    screen::{Form, Screen},
    stored::{self, Stored},
    time,
};
use runbook_file::Environment;
use semver::Version;
use serde_json::json;

/// Words of a deployment alone.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DeployWords {
    #[command(flatten)]
    pub(crate) words: Words,
    /// Which, as in 1.2.4
    #[arg(long, value_name = "X.Y.Z", value_parser = version)]
    pub(crate) version: Version,
}

/// `v` stands in git's tags alone.
fn version(text: &str) -> Result<Version, String> {
    let text = text.strip_prefix('v').unwrap_or(text);
    text.parse().map_err(|_| format!("{text:?} is no version such as 1.2.4"))
}

/// Shows the whole change, and keeps it under its hash.
pub(crate) async fn plan(place: &Place, DeployWords { words, version }: &DeployWords) -> Result<Exit, Failure> {
    let file = place.file()?;
    let target = run::target(&file, &words.environment)?;
    let client = cluster::connect(target.cluster).await?;
    let made_at = time::now();
    let request = target.request(&file, words, made_at);
    let observed = run::look(place, &request, &client, Some(version)).await?;
    let plan = plan::deploy(&request, version, &observed)?;
    let hash = plan.hash();
    stored::write(&place.folder, &Stored { made_at, plan: plan.clone() })?;
    Report::new(&place.screen).plan(&plan);
    let apply = format!("{} --plan {hash}", plan.command);
    if place.screen.form == Form::Json {
        Screen::event("result", &json!({ "exit": 0, "hash": hash, "apply": apply }));
    } else {
        crate::screen::print(&format!("  apply exactly this:  {apply}\n\n"));
    }
    Ok(Exit::Done)
}

/// Steps 3 to 6.
pub(crate) async fn deploy(
    place: &Place,
    DeployWords { words, version }: &DeployWords,
    stored: Option<&str>,
    is_hotfix: bool,
) -> Result<Exit, Failure> {
    let file = place.file()?;
    let target = run::target(&file, &words.environment)?;
    if !is_hotfix {
        let request = target.request(&file, words, time::now());
        let line = format!("runbook deploy {} --version {version}", request.the_same_way());
        refuse_outside_window(target.name, target.environment, &line)?;
    }
    let planner = |request: &Request<'_>, observed: &_| plan::deploy(request, version, observed);
    run::change(place, &file, words, Asked { version: Some(version), planner: &planner, stored, is_hotfix }).await
}

/// What opens it is a hotfix alone: a reason may have been given for something else. `line` is what was asked for.
fn refuse_outside_window(name: &str, environment: &Environment, line: &str) -> Result<(), Failure> {
    let Some(window) = &environment.window else { return Ok(()) };
    let now = time::now();
    let span = window.current_or_next(now);
    if span.as_ref().is_some_and(|span| span.is_open(now)) {
        return Ok(());
    }
    let opens = span.map(|span| span.opens.strftime("%a %d %b %H:%M %Z").to_string());
    Err(Failure::refused(format!("{name} is deployed on {window}"))
        .because(opens.map_or("that never is".to_owned(), |opens| format!("next: {opens}")))
        .cured_by(format!("{line} --hotfix --reason \"WHY IT CANNOT WAIT\"")))
}

/// Options 1 and 2.
pub(crate) async fn rollback(place: &Place, words: &Words, to: Option<u32>) -> Result<Exit, Failure> {
    let file = place.file()?;
    let planner = |request: &Request<'_>, observed: &_| plan::rollback(request, to, observed);
    run::change(place, &file, words, Asked { version: None, planner: &planner, stored: None, is_hotfix: false }).await
}

/// What is left of a run, this machine's or a colleague's.
///
/// A build, and what was begun, is finished at any time. What has only been planned is asked about and planned like a new
/// one, and a deployment waits for its window.
pub(crate) async fn resume(place: &Place, run: &str, environment_name: Option<&str>) -> Result<Exit, Failure> {
    let file = place.file()?;
    let kept = Kept::find(place, run).await?;
    let entries = kept.entries(run).await?;
    let begun = Summary::of(&entries, false)
        .ok_or_else(|| Failure::refused(format!("the journal of {run} has no beginning")))?;
    if begun.plan.is_build() {
        return super::build::resume(place, run).await;
    }
    let words = Words {
        environment: begun.plan.environment.clone(),
        via: Some(begun.plan.via()),
        reason: begun.reason.map(str::to_owned),
        environment_name: environment_name.map(str::to_owned),
    };
    let target = run::target(&file, &words.environment)?;
    if is_untouched(&entries) {
        if !begun.plan.is_way_back() && !begun.is_hotfix {
            refuse_outside_window(target.name, target.environment, &begun.plan.command)?;
        }
        run::confirm(place, target.name, &words).await?;
    }
    let client = cluster::connect(target.cluster).await?;
    let report = Report::new(&place.screen);
    let request = target.request(&file, &words, begun.made_at);
    let lock = run::take(&client, target.name, run, &report).await?;
    match opened(place, &request, &client, run).await {
        Ok(journal) => run::go_on(place, &request, client, lock, journal, &report).await,
        Err(failure) => {
            run::give_back(lock, &report).await;
            Err(failure)
        }
    }
}

/// Whether it has only asked so far, if anything.
fn is_untouched(entries: &[Entry]) -> bool {
    Summary::of(entries, false).is_none_or(|summary| summary.changed_last(entries).is_none())
}

/// Under the lock: a colleague may have gone further with it than this machine knows.
async fn opened(place: &Place, request: &Request<'_>, client: &kube::Client, run: &str) -> Result<Journal, Failure> {
    let folder = journal::folder(&place.folder)?;
    let journal = if journal::copy::is_there(client, run).await? {
        journal::copy::fetch(client, &folder, run).await?
    } else {
        Journal::open(&folder, run)?
    };
    if !is_untouched(journal.entries()) {
        refuse_overtaken(request.name, client, &journal).await?;
    }
    let mut journal = resumed(journal)?;
    if is_untouched(journal.entries()) {
        plan_anew(place, request, client, &mut journal).await?;
    }
    Ok(journal)
}

/// Refuses to go on where another run has changed the environment since: what is there is not this run's any more, to
/// change or to take back. By the moments in both journals: two machines' clocks have to agree to half a minute, which is
/// what a lock needs at least to go from one run to the next.
async fn refuse_overtaken(name: &str, client: &kube::Client, journal: &Journal) -> Result<(), Failure> {
    let last = journal.entries().last().map(|entry| entry.at);
    let others = journal::copy::runs(client, name).await?;
    let has_changed_since = |(run, entries): &&(String, Vec<Entry>)| {
        let changed = Summary::of(entries, false).and_then(|summary| summary.changed_last(entries));
        run != journal.run() && changed > last
    };
    let Some((other, _)) = others.iter().find(has_changed_since) else { return Ok(()) };
    Err(Failure::refused(format!("{other} has changed {name} since {} was interrupted", journal.run()))
        .because("what it would change or take back now is another run's: look at both, and plan anew")
        .cured_by(journal.plan()?.anew()))
}

/// Says who goes on with it, unless it is over.
pub(super) fn resumed(mut journal: Journal) -> Result<Journal, Failure> {
    if let Some(exit) = journal.ended() {
        let run = journal.run();
        let over = format!("{run} is over, with exit code {exit}");
        return Err(Failure::nothing_to_do(over).cured_by(format!("runbook show {run}")));
    }
    journal.append(Event::Resumed { by: lock::who() })?;
    Ok(journal)
}

/// As the command did that made the run's plan.
async fn plan_anew(
    place: &Place,
    request: &Request<'_>,
    client: &kube::Client,
    journal: &mut Journal,
) -> Result<(), Failure> {
    let plan = journal.plan()?;
    if plan.is_way_back() {
        let to = plan.to();
        let planner = |request: &Request<'_>, observed: &_| plan::rollback(request, to, observed);
        return run::refuse_outlived(place, request, client, journal, (None, &planner)).await;
    }
    let version = version(&plan.version).map_err(Failure::refused)?;
    let planner = |request: &Request<'_>, observed: &_| plan::deploy(request, &version, observed);
    run::refuse_outlived(place, request, client, journal, (Some(&version), &planner)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cluster::stand_in::StandIn, journal::Copy, plan::tests as plans};
    use std::{path::Path, thread::sleep, time::Duration};

    fn run(folder: &Path, name: &str, doing: &str) -> Journal {
        let plan = plans::planned(None, "1.2.4", &plans::observed()).unwrap();
        let mut journal = Journal::begin(folder, name, plans::began(name, plan)).unwrap();
        journal.append(Event::Doing { step: doing.into() }).unwrap();
        // Moments are written in milliseconds.
        sleep(Duration::from_millis(5));
        journal
    }

    #[tokio::test]
    async fn what_another_run_has_changed_since_is_not_gone_on_with() {
        let (cluster, folder) = (StandIn::start(), tempfile::tempdir().unwrap());
        let client = cluster.client("ada").await;
        let earlier = run(folder.path(), "20250117-130000-0000", "4.3.upgrade");
        let ours = run(folder.path(), "20250117-140000-0000", "4.3.upgrade");
        let asked = run(folder.path(), "20250117-150000-0000", "3.2.status");
        for journal in [&earlier, &ours, &asked] {
            Copy::new(client.clone()).send(journal).await.unwrap();
        }
        refuse_overtaken("production", &client, &ours).await.expect("nobody has changed anything since");
        let mut later = asked;
        later.append(Event::Doing { step: "3.5.up".into() }).unwrap();
        Copy::new(client.clone()).send(&later).await.unwrap();
        let refused = refuse_overtaken("production", &client, &ours).await.unwrap_err();
        let expected = "20250117-150000-0000 has changed production since 20250117-140000-0000 was interrupted";
        assert_eq!(refused.what, expected);
        refuse_overtaken("production", &client, &later).await.expect("it is the last one");
    }
}
