//! `runbook build`: Step 2, as steps of a plan.

use crate::{
    execute::{Standing, Stop, Told, Trouble, World, execute},
    exit::Exit,
    failure::Failure,
    images::Images,
    journal::{self, Event, How, Journal},
    page::{Mark, Note, Page},
    place::Place,
    plan::{self, Action, BuildRequest, Plan, Step},
    screen::{Form, Screen},
    time,
};
use semver::Version;
use serde_json::json;
use std::{
    env,
    fs::{File, TryLockError},
    process,
};

pub(crate) async fn run(place: &Place, environment: Option<&str>, version: &Version) -> Result<Exit, Failure> {
    let file = place.file()?;
    let registry = match environment {
        Some(name) => &file.environment(name).map_err(|problem| Failure::usage(problem.to_string()))?.registry,
        None => "",
    };
    let request = BuildRequest { version, environment, registry, file: &file };
    let folder = journal::folder(&place.folder)?;
    let _alone = alone(place)?;
    let mut images = Images { folder: &place.folder };
    let plan = plan::build(&request, &images.observe(&request).await?)?;
    tell_plan(place, &plan);
    let run = format!("{}-{:04x}", time::now().strftime("%Y%m%d-%H%M%S"), process::id() & 0xffff);
    let by = env::var("USER").unwrap_or_else(|_| "somebody".to_owned());
    let began = Event::Began { run: run.clone(), by, reason: None, plan: Box::new(plan.clone()) };
    let mut journal = Journal::begin(&folder, &run, began)?;
    let (stop, _listener) =
        Stop::on_ctrl_c(|_| eprintln!("\n  stops before the next step; Ctrl-C once more ends this one"));
    let exit = execute(&mut journal, &mut images, &stop, |told| tell(place, told)).await?;
    if exit != Exit::Done {
        return Err(Failure {
            exit,
            ..Failure::failed(format!("the images of {version} are not all in the registry"))
        }
        .because("what is built and pushed is kept, and not done again")
        .cured_by(plan.command));
    }
    Ok(exit)
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

    async fn apply(&mut self, step: &Step) -> Result<String, Trouble> {
        Images::apply(*self, &step.does).await
    }
}

fn tell_plan(place: &Place, plan: &Plan) {
    if place.screen.form == Form::Json {
        return Screen::event("plan", &json!({ "hash": plan.hash(), "plan": plan }));
    }
    let mut page = Page::default();
    page.title(&plan.command);
    for step in &plan.steps {
        step.command.lines().for_each(|line| page.pair(&step.title, line));
    }
    page.text(format!("plan {}", plan.hash()));
    place.screen.page(&page);
}

fn tell(place: &Place, told: &Told<'_>) {
    let (step, state, mark, what, evidence) = match told {
        Told::Begun(step) => (*step, "begun", Mark::Good, "", ""),
        Told::Done { step, how: How::Applied, evidence } => (*step, "done", Mark::Good, "", *evidence),
        Told::Done { step, how: How::Already, evidence } => (*step, "done", Mark::Good, "is so already", *evidence),
        Told::Before(step) => (*step, "before", Mark::Good, "done before the interruption", ""),
        Told::Failed { step, trouble } => (*step, "failed", Mark::Failed, &*trouble.why, &*trouble.evidence),
        Told::Stopped(step) => (*step, "stopped", Mark::Warning, "stopped before it", ""),
        // A build has no way back: what is pushed stays.
        Told::TurnedBack => return,
    };
    if place.screen.form == Form::Json {
        return Screen::event("step", &json!({ "id": step.id, "state": state, "what": what, "evidence": evidence }));
    }
    let mut page = Page::default();
    if state == "begun" {
        if matches!(step.does, Action::Later { .. }) {
            // Its lines are not run now.
            return;
        }
        step.command.lines().for_each(|line| page.text(format!("$ {line}")));
    } else {
        let what = if what.is_empty() { step.title.clone() } else { format!("{}: {what}", step.title) };
        page.item(mark, &what, evidence.lines().map(|line| Note::text("seen", line)).collect());
    }
    place.screen.page(&page);
}
