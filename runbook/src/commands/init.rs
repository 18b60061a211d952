//! `runbook init`: writes a `runbook.toml` by looking around.

mod around;
mod written;

use crate::{
    exit::Exit,
    failure::Failure,
    page::{Mark, Note, Page},
    place::Place,
    screen::{Form, Screen},
};
use around::Around;
use runbook_file::{NAME, RunbookFile};
use serde_json::json;
use std::{
    fs::File,
    io::{ErrorKind, Write as _},
    path::Path,
};

/// The folder's file; an existing one only by force.
pub(crate) async fn run(place: &Place, force: bool) -> Result<Exit, Failure> {
    let around = Around::look(&place.folder).await?;
    let text = written::text(&around);
    // Whatever was found, what is written can be read.
    let written = RunbookFile::parse(&text)?;
    write(&place.folder.join(NAME), &text, force)?;
    if place.screen.form == Form::Json {
        Screen::event("written", &json!({ "file": NAME, "found": around }));
        return Ok(Exit::Done);
    }
    let mut page = Page::default();
    page.item(
        Mark::Good,
        &format!("{NAME} is written; read it, it is short"),
        vec![Note::command("next", "runbook envs")],
    );
    let names = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    page.pair("environments", names(&written.environments.into_iter().map(|(name, _)| name).collect::<Vec<_>>()));
    page.pair("services", names(&written.services.into_iter().map(|(name, _)| name).collect::<Vec<_>>()));
    page.pair("contexts", names(&around.contexts));
    page.pair("github", around.github.as_deref().unwrap_or("none"));
    place.screen.page(&page);
    Ok(Exit::Done)
}

fn write(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let mut options = File::options();
    options.write(true).create_new(!force).create(force).truncate(force);
    let file = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    file.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::refused(format!("{NAME} is there already"))
            .because("it may hold what nobody can find by looking around; --force writes over it")
            .cured_by("runbook envs"),
        _ => Failure::of_file(path, &error),
    })
}
