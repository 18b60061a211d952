//! `runbook build`: Step 2, as steps of a plan.

use super::change::resumed;
use crate::{
    execute::{Standing, Stop, Trouble, World, execute},
    exit::Exit,
    failure::Failure,
    images::Images,
    journal::{self, Event, Journal},
    lock,
    place::Place,
    plan::{self, BuildRequest, Plan, Step},
    report::Report,
    time,
};
use semver::Version;
use std::fs::{File, TryLockError};

pub(crate) async fn run(place: &Place, environment: Option<&str>, version: &Version) -> Result<Exit, Failure> {
    let file = place.file()?;
    let registry = match environment {
        Some(name) => &file.environment(name).map_err(Failure::unknown)?.registry,
        None => "",
    };
    let request = BuildRequest { version, environment, registry, file: &file };
    let folder = journal::folder(&place.folder)?;
    let _alone = alone(place)?;
    let images = Images { folder: &place.folder };
    let plan = plan::build(&request, &images.observe(&request).await?)?;
    let report = Report::new(&place.screen);
    report.plan(&plan);
    let run = journal::new_run(time::now())?;
    let (by, made_at, reason, hotfix) = (lock::who(), time::now(), None, false);
    let began = Event::Began { run: run.clone(), by, reason, hotfix, made_at, plan: Box::new(plan) };
    let journal = Journal::begin(&folder, &run, began)?;
    go_on(images, journal, &report).await
}

/// What is left of a build that was interrupted.
pub(crate) async fn resume(place: &Place, run: &str) -> Result<Exit, Failure> {
    let folder = journal::folder(&place.folder)?;
    let _alone = alone(place)?;
    let journal = resumed(Journal::open(&folder, run)?)?;
    go_on(Images { folder: &place.folder }, journal, &Report::new(&place.screen)).await
}

async fn go_on(mut images: Images<'_>, mut journal: Journal, report: &Report<'_>) -> Result<Exit, Failure> {
    report.kept_in(journal.run());
    let (stop, _listener) = Stop::on_ctrl_c();
    let exit = execute(&mut journal, &mut images, &stop, |told| report.told(told)).await;
    report.over();
    let (exit, Plan { version, command, .. }) = (exit?, journal.plan()?);
    if exit == Exit::Done {
        return Ok(exit);
    }
    Err(Failure { exit, ..Failure::failed(format!("the images of {version} are not all in the registry")) }
        .because("what is built and pushed is kept, and not done again")
        .cured_by(command))
}

/// Nobody else builds in this folder at the same time; given back when it is dropped, however this process ends.
fn alone(place: &Place) -> Result<File, Failure> {
    let path = place.folder.join(".runbook/build.lock");
    let file = File::create(&path).map_err(|error| Failure::of_file(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::refused("another `runbook build` runs in this folder")
            .because("both would build and push the same images")),
        Err(TryLockError::Error(error)) => Err(Failure::of_file(&path, &error)),
    }
}

impl World for Images<'_> {
    async fn boundary(&mut self, _: &Journal, _: &Step) -> Result<(), Failure> {
        Ok(())
    }

    async fn check(&mut self, step: &Step) -> Result<Standing, Trouble> {
        Images::check(*self, &step.does).await
    }

    /// Nothing is read from this folder but by a build, which itself asks whether the commit is still checked out.
    async fn ready(&mut self, _: &Plan, _: &Step) -> Result<(), Trouble> {
        Ok(())
    }

    async fn apply(&mut self, step: &Step) -> Result<String, Trouble> {
        Images::apply(*self, &step.does).await
    }
}
