//! `runbook lock status|steal ENV`

use crate::{
    cluster,
    exit::Exit,
    failure::Failure,
    lock::{self, Holder, Lock, Record},
    page::{Mark, Page},
    place::Place,
    plan::RELEASE,
    programs::helm::{Helm, Listed},
    screen::{Form, Screen},
    time,
};
use runbook_file::{Cluster, RunbookFile};
use serde_json::json;

pub(crate) async fn status(place: &Place, name: &str) -> Result<Exit, Failure> {
    let file = place.file()?;
    let client = cluster::connect(of(&file, name)?).await?;
    let record = Lock::read(&client, name).await?;
    if place.screen.form == Form::Json {
        Screen::event("lock", &event(&record));
    } else {
        place.screen.page(&page(&record));
    }
    Ok(Exit::Done)
}

pub(crate) async fn steal(place: &Place, name: &str, reason: &str) -> Result<Exit, Failure> {
    if reason.trim().is_empty() {
        return Err(Failure::usage("--reason is empty; the one it is taken from reads it"));
    }
    let file = place.file()?;
    let wanted = of(&file, name)?;
    let is_pending = is_pending(wanted).await?;
    let client = cluster::connect(wanted).await?;
    let holder = Holder::this("none: lock steal");
    let wait = |record: &Record| tell(place, &format!("{record}; this takes at most 30 s"));
    let robbed = lock::steal(&client, name, &holder, reason, is_pending, wait).await?;
    let Some(record) = robbed else {
        tell(place, &format!("nobody holds {name}"));
        return Ok(Exit::NothingToDo);
    };
    if place.screen.form == Form::Json {
        Screen::event("stolen", &event(&record));
    } else {
        let by = record.held.map(|held| held.by).unwrap_or_default();
        let mut page = Page::default();
        page.item(Mark::Good, &format!("{name} is free; it was taken from {by}: {reason}"), vec![]);
        place.screen.page(&page);
    }
    Ok(Exit::Done)
}

fn of<'a>(file: &'a RunbookFile, name: &str) -> Result<&'a Cluster, Failure> {
    let environment = file.environment(name).map_err(Failure::unknown)?;
    environment
        .cluster
        .as_ref()
        .ok_or_else(|| Failure::refused(format!("{name} has no cluster, so it has no lock")).cured_by("runbook envs"))
}

/// Whether helm says that it is at work, or was when it was killed.
async fn is_pending(wanted: &Cluster) -> Result<bool, Failure> {
    let helm = Helm(wanted);
    let revisions = helm.revisions(RELEASE).await.map_err(|error| {
        Failure::failed(format!("whether helm is at work cannot be told: {error}"))
            .because("a lock is not taken from somebody whose helm may be at work")
            .cured_by(helm.history(RELEASE).literal())
    })?;
    Ok(revisions.last().is_some_and(Listed::is_pending))
}

fn tell(place: &Place, text: &str) {
    if place.screen.form == Form::Json {
        Screen::event("notice", &json!({ "what": text }));
    } else {
        let mut page = Page::default();
        page.text(text);
        place.screen.page(&page);
    }
}

fn page(record: &Record) -> Page {
    let mut page = Page::default();
    page.title(record.to_string());
    if let Some(held) = &record.held {
        page.pair("since", held.since.to_string());
        page.pair("renewed", format!("{} ago, by its own clock", time::distance(held.renewed, time::now())));
        page.pair("watch", format!("runbook attach {}", held.run));
        if let Some(note) = &held.note {
            page.pair("note", note);
        }
    }
    if let Some(stolen) = &record.stolen {
        page.pair("last stolen", stolen);
    }
    page.pair("taken", format!("{} times", record.token));
    page
}

fn event(record: &Record) -> serde_json::Value {
    let held = record.held.as_ref();
    json!({
        "environment": record.environment,
        "by": held.map(|held| &held.by),
        "run": held.map(|held| &held.run),
        "step": held.and_then(|held| held.step.as_ref()),
        "note": held.and_then(|held| held.note.as_ref()),
        "stolen": record.stolen,
        "since": held.map(|held| held.since),
        "renewed": held.map(|held| held.renewed),
        "token": record.token,
    })
}
