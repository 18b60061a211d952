//! Why a command did not do what it was asked: what is wrong, why that matters, and what cures it.

use crate::{
    exit::Exit,
    page::{Mark, Note, Page},
    screen::{Form, Screen},
};
use serde_json::json;
use std::{fmt, path::Path};

/// One failure, complete.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// In one line.
    pub(crate) what: String,
    /// Further lines.
    pub(crate) why: Option<String>,
    /// A command, ready to be pasted.
    pub(crate) cure: Option<String>,
}

impl Failure {
    /// Something did not work, and nothing was changed.
    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, what: what.into(), why: None, cure: None }
    }

    /// The state of things forbids it.
    pub(crate) fn refused(what: impl Into<String>) -> Self {
        Self { exit: Exit::Refused, ..Self::failed(what) }
    }

    /// What was asked for cannot be meant.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::failed(what) }
    }

    /// A file that could not be read or written.
    pub(crate) fn of_file(path: &Path, error: &std::io::Error) -> Self {
        Self::failed(format!("{}: {error}", path.display()))
    }

    #[must_use]
    pub(crate) fn because(self, why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..self }
    }

    #[must_use]
    pub(crate) fn cured_by(self, command: impl Into<String>) -> Self {
        Self { cure: Some(command.into()), ..self }
    }

    /// Tells it: people on standard error, programs on standard output, where they read everything else.
    pub(crate) fn tell(&self, screen: &Screen) {
        let Self { exit, what, why, cure } = self;
        if screen.form == Form::Json {
            Screen::event("failure", &json!({ "exit": *exit as u8, "what": what, "why": why, "cure": cure }));
            return;
        }
        let notes =
            why.iter().map(|why| Note::text("why", why)).chain(cure.iter().map(|cure| Note::command("cure", cure)));
        let mut page = Page::default();
        page.item(Mark::Failed, what, notes.collect());
        eprint!("{}", page.render(screen));
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// A broken file is the state of things.
impl From<runbook_file::Problem> for Failure {
    fn from(problem: runbook_file::Problem) -> Self {
        Self::refused(problem.to_string())
    }
}
