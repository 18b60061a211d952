//! A change to an environment, from what was asked to its end: the lock, the journal, and what is remembered.

mod anew;
mod ending;
#[cfg(test)]
mod tests;

pub(crate) use anew::refuse_outlived;

use crate::{
    cluster,
    execute::{self, Stop},
    exit::Exit,
    failure::Failure,
    journal::{self, Copy, Event, Journal},
    live::Live,
    lock::{self, Holder, Lock, Record},
    memory::{self, Memory, Verified},
    observe::{Observed, observe},
    place::Place,
    plan::Plan,
    report::Report,
    request::{Request, Via},
    screen::Form,
    stored, time,
};
use jiff::Timestamp;
use runbook_file::{Cluster, Environment, RunbookFile};
use semver::Version;
use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};
use tokio::{task::spawn_blocking, time::sleep};

/// The words that every change has.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Words {
    /// A name in runbook.toml
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,
    /// The document's two ways [default: helm]
    #[arg(long, value_enum, hide_possible_values = true, value_name = "helm|kubectl")]
    pub(crate) via: Option<Via>,
    /// Why: outside the window, for a version that was rolled back, and for the incident's report
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Says yes in advance by naming the environment once more; nothing is asked then
    #[arg(long, value_name = "ENV")]
    pub(crate) environment_name: Option<String>,
}

/// An environment that a change can be made to.
pub(crate) struct Target<'a> {
    pub(crate) name: &'a str,
    pub(crate) environment: &'a Environment,
    pub(crate) cluster: &'a Cluster,
}

/// The environment of a name, which must have a cluster.
pub(crate) fn target<'a>(file: &'a RunbookFile, name: &str) -> Result<Target<'a>, Failure> {
    let environment = file.environment(name).map_err(Failure::unknown)?;
    let (name, _) = file.environments.iter().find(|(known, _)| known == name).ok_or_else(|| Failure::usage(name))?;
    let cluster = environment.cluster.as_ref().ok_or_else(|| {
        Failure::refused(format!("{name} has no cluster")).cured_by(format!(
            "in runbook.toml, in [environments.{name}]: cluster = {{ context = \"…\", namespace = \"…\" }}"
        ))
    })?;
    Ok(Target { name, environment, cluster })
}

impl<'a> Target<'a> {
    pub(crate) fn request(&self, file: &'a RunbookFile, words: &'a Words, made_at: Timestamp) -> Request<'a> {
        Request {
            name: self.name,
            environment: self.environment,
            cluster: self.cluster,
            services: &file.services,
            via: words.via,
            made_at,
            reason: words.reason.as_deref(),
        }
    }
}

/// What is, with what this tool remembers of the environment.
pub(crate) async fn look(
    place: &Place,
    request: &Request<'_>,
    client: &kube::Client,
    version: Option<&Version>,
) -> Result<Observed, Failure> {
    let (observed, memory) = tokio::join!(observe(&place.folder, request, version), memory::read(client, request.name));
    let Memory { verified, blocked, .. } = memory?;
    let observed = observed?;
    // A release that was made anew counts from 1 again: a number alone says nothing.
    let is_known = |verified: &Verified| {
        let known = observed.helm.revision(verified.revision);
        known.is_some_and(|known| known.version == verified.version)
    };
    let verified = verified.into_iter().filter(is_known).map(|verified| verified.revision).collect();
    Ok(Observed { verified, blocked, ..observed })
}

/// What makes a plan of what was observed.
pub(crate) type Planner<'a> = &'a dyn Fn(&Request<'_>, &Observed) -> Result<Plan, Failure>;

/// What is asked for besides the words that every change has.
pub(crate) struct Asked<'a> {
    /// Whose files are compared with the database; none: only what is applied counts.
    pub(crate) version: Option<&'a Version>,
    pub(crate) planner: Planner<'a>,
    /// The hash of the only plan that is meant; none: whichever comes of it.
    pub(crate) stored: Option<&'a str>,
    /// Whether it may begin outside the window.
    pub(crate) is_hotfix: bool,
}

/// Takes the lock, looks, plans, shows, asks, and does it.
pub(crate) async fn change(
    place: &Place,
    file: &RunbookFile,
    words: &Words,
    asked: Asked<'_>,
) -> Result<Exit, Failure> {
    let target = target(file, &words.environment)?;
    let client = cluster::connect(target.cluster).await?;
    let report = Report::new(&place.screen);
    let run = journal::new_run(time::now())?;
    let lock = take(&client, target.name, &run, &report).await?;
    let begun = async {
        let shown = asked.stored.map(|hash| stored::read(&place.folder, hash)).transpose()?;
        let made_at = shown.as_ref().map_or_else(time::now, |shown| shown.made_at);
        let request = target.request(file, words, made_at);
        let observed = look(place, &request, &client, asked.version).await?;
        let plan = (asked.planner)(&request, &observed)?;
        if let Some(shown) = &shown {
            anew::refuse_another(&shown.plan, &plan)?;
        }
        report.plan(&plan);
        confirm(place, target.name, words).await?;
        let folder = journal::folder(&place.folder)?;
        let (by, reason, hotfix) = (lock::who(), words.reason.clone(), asked.is_hotfix);
        let began = Event::Began { run: run.clone(), by, reason, hotfix, made_at, plan: Box::new(plan) };
        Ok((request, Journal::begin(&folder, &run, began)?))
    };
    match begun.await {
        Ok((request, journal)) => go_on(place, &request, client, lock, journal, &report).await,
        Err(failure) => {
            give_back(lock, &report).await;
            Err(failure)
        }
    }
}

/// The lock of an environment, for a run.
pub(crate) async fn take(client: &kube::Client, name: &str, run: &str, report: &Report<'_>) -> Result<Lock, Failure> {
    let waits = |record: &Record| {
        let by = record.held.as_ref().map_or("somebody", |held| &held.by);
        report.warn(&format!("{by} holds the lock of {name}: looking whether they still live, 30 s at most"));
    };
    Lock::take(client, name, &Holder::this(run), waits).await
}

/// What could not be given back ends by itself.
pub(crate) async fn give_back(lock: Lock, report: &Report<'_>) {
    if let Err(failure) = lock.release().await {
        report.warn(&format!("the lock could not be given back and ends within 30 s: {failure}"));
    }
}

/// What was ended in the middle may need a look first, so the lock is not free at once: it says why, and ends by itself;
/// on this machine it is taken over without waiting.
async fn leave(lock: &Lock) {
    lock.note("ended in the middle of a step by Ctrl-C");
    // Until the note is with the lock.
    sleep(Duration::from_secs(1)).await;
}

/// At a terminal a person is asked; elsewhere nobody is, and production has to be named once more.
pub(crate) async fn confirm(place: &Place, name: &str, words: &Words) -> Result<(), Failure> {
    const PRODUCTION: &str = "production";
    match words.environment_name.as_deref() {
        Some(named) if named == name => return Ok(()),
        Some(named) => {
            return Err(Failure::usage(format!("--environment-name says {named}, and this is about {name}")));
        }
        None => {}
    }
    if place.screen.form != Form::Human || !io::stdin().is_terminal() {
        if name != PRODUCTION {
            return Ok(());
        }
        return Err(Failure {
            exit: Exit::NeedsPerson,
            ..Failure::refused("this is about production, and nobody can be asked")
        }
        .cured_by("… --environment-name production"));
    }
    crate::screen::print(&format!("  Type {name} to go on: "));
    let _ = io::stdout().flush();
    // Elsewhere than here, where the lock has to be renewed meanwhile.
    let answer = spawn_blocking(|| io::stdin().lines().next().transpose()).await;
    let answer = answer.map_err(|error| Failure::failed(error.to_string()))?;
    let answer = answer.map_err(|error| Failure::failed(error.to_string()))?.unwrap_or_default();
    if answer.trim() == name { Ok(()) } else { Err(Failure::refused("it was not confirmed, and nothing was done")) }
}

/// Does what is left of a journal, under the lock, and gives the lock back.
pub(crate) async fn go_on(
    place: &Place,
    request: &Request<'_>,
    client: kube::Client,
    lock: Lock,
    mut journal: Journal,
    report: &Report<'_>,
) -> Result<Exit, Failure> {
    report.kept_in(journal.run());
    let copy = Some(Copy::new(client.clone()));
    let (folder, lock, began) = (&*place.folder, Some(lock), time::now());
    let mut live = Live { folder, request, client: client.clone(), lock, report, began, copy };
    if let Some(copy) = &mut live.copy {
        copy.send(&journal).await.unwrap_or_else(|failure| report.warn(&failure.to_string()));
        let pruned = journal::copy::prune(&client, request.name).await;
        pruned.unwrap_or_else(|failure| report.warn(&failure.to_string()));
    }
    let mut is_left = false;
    let done = match ending::missing_approvals(request, &client, &mut journal).await {
        Ok(None) => {
            let (stop, _listener) = Stop::on_ctrl_c();
            let exit = execute::execute(&mut journal, &mut live, &stop, |told| report.told(told)).await;
            is_left = stop.is_asked_twice();
            exit.map_err(|failure| ending::of_a_run(failure, &journal))
        }
        Ok(Some(failure)) | Err(failure) => Err(failure),
    };
    if let Ok(exit) = done {
        ending::remember(request, &client, &journal, exit, report).await;
    }
    // The last lines are others' as well, also where the cluster did not take some in between.
    let sent = Copy::new(client.clone()).send(&journal).await;
    sent.unwrap_or_else(|failure| report.warn(&failure.to_string()));
    if let Some(lock) = live.lock.take() {
        if is_left {
            leave(&lock).await;
        } else {
            give_back(lock, report).await;
        }
    }
    report.over();
    if let Ok(exit) = done {
        ending::tell(place, request, &journal, exit, report);
    }
    done
}
