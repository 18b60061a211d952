//! `runbook plan`, `deploy`, `rollback` and `resume`: what changes an environment, or would.

use crate::{
    cluster,
    exit::Exit,
    failure::Failure,
    journal::{self, Event, Journal, Kept, Summary},
    lock,
    place::Place,
    plan,
    report::Report,
    request::Request,
    run::{self, Words},
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
    refuse_outside_window(target.name, target.environment, words, is_hotfix)?;
    let planner = |request: &Request<'_>, observed: &_| plan::deploy(request, version, observed);
    run::change(place, &file, words, Some(version), stored, &planner).await
}

fn refuse_outside_window(name: &str, environment: &Environment, words: &Words, is_hotfix: bool) -> Result<(), Failure> {
    let Some(window) = &environment.window else { return Ok(()) };
    let now = time::now();
    let span = window.current_or_next(now);
    if span.as_ref().is_some_and(|span| span.is_open(now)) {
        return Ok(());
    }
    if is_hotfix {
        let missing = "a hotfix outside the window needs a reason, which stays in the journal";
        return words.reason.as_ref().map(|_| ()).ok_or_else(|| Failure::usage(missing).cured_by("… --reason \"…\""));
    }
    let opens = span.map(|span| span.opens.strftime("%a %d %b %H:%M %Z").to_string());
    Err(Failure::refused(format!("{name} is deployed on {window}"))
        .because(opens.map_or("that never is".to_owned(), |opens| format!("next: {opens}")))
        .cured_by(format!("runbook deploy {name} --version X.Y.Z --hotfix --reason \"WHY IT CANNOT WAIT\"")))
}

/// Options 1 and 2.
pub(crate) async fn rollback(place: &Place, words: &Words, to: Option<u32>) -> Result<Exit, Failure> {
    let file = place.file()?;
    let planner = |request: &Request<'_>, observed: &_| plan::rollback(request, to, observed);
    run::change(place, &file, words, None, None, &planner).await
}

/// What is left of a run, this machine's or a colleague's.
///
/// A way back, and what was begun, is finished at any time; what has only been planned is asked about like a new one.
pub(crate) async fn resume(place: &Place, run: &str, environment_name: Option<&str>) -> Result<Exit, Failure> {
    let file = place.file()?;
    let kept = Kept::find(place, run).await?;
    let entries = kept.entries(run).await?;
    let begun = Summary::of(&entries, false)
        .ok_or_else(|| Failure::refused(format!("the journal of {run} has no beginning")))?;
    let words = Words {
        environment: begun.plan.environment.clone(),
        via: None,
        reason: begun.reason.map(str::to_owned),
        environment_name: environment_name.map(str::to_owned),
    };
    let target = run::target(&file, &words.environment)?;
    let has_begun = entries.iter().any(|entry| matches!(entry.event, Event::Doing { .. }));
    if !has_begun {
        if words.reason.is_none() {
            refuse_outside_window(target.name, target.environment, &words, false)?;
        }
        run::confirm(place, target.name, &words).await?;
    }
    let client = cluster::connect(target.cluster).await?;
    let report = Report::new(&place.screen);
    let lock = run::take(&client, target.name, run, &report).await?;
    let journal = match opened(place, &client, run).await {
        Ok(journal) => journal,
        Err(failure) => {
            run::give_back(lock, &report).await;
            return Err(failure);
        }
    };
    let request = target.request(&file, &words, time::now());
    run::go_on(place, &request, client, lock, journal, &report).await
}

/// Under the lock: a colleague may have gone further with it than this machine knows.
async fn opened(place: &Place, client: &kube::Client, run: &str) -> Result<Journal, Failure> {
    let folder = journal::folder(&place.folder)?;
    let mut journal = if journal::copy::is_there(client, run).await? {
        journal::copy::fetch(client, &folder, run).await?
    } else {
        Journal::open(&folder, run)?
    };
    if let Some(exit) = journal.ended() {
        let failure = Failure::refused(format!("{run} is over, with exit code {exit}"));
        return Err(Failure { exit: Exit::NothingToDo, ..failure }.cured_by(format!("runbook show {run}")));
    }
    journal.append(Event::Resumed { by: lock::who() })?;
    Ok(journal)
}
