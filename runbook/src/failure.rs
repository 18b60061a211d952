//! Why a command did not do what it was asked: what is wrong, why that matters, and what cures it. Or there is nothing to
//! do, which is no failure.

use crate::{
    exit::Exit,
    page::{Mark, Note, Page},
    screen::{Form, Screen},
};
use serde_json::{Value, json};
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

    /// It is so already; `cured_by` says what could be next.
    pub(crate) fn nothing_to_do(what: impl Into<String>) -> Self {
        Self { exit: Exit::NothingToDo, ..Self::failed(what) }
    }

    /// The state of things forbids it.
    pub(crate) fn refused(what: impl Into<String>) -> Self {
        Self { exit: Exit::Refused, ..Self::failed(what) }
    }

    /// What was asked for cannot be meant.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::failed(what) }
    }

    /// A name that `runbook.toml` does not have.
    pub(crate) fn unknown(problem: runbook_file::Problem) -> Self {
        let failure = Self { exit: Exit::Usage, ..problem.into() };
        Self { cure: failure.cure.or_else(|| Some("runbook envs".to_owned())), ..failure }
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

    /// Tells it: people on standard error, programs on standard output, where they read everything else. That there is
    /// nothing to do is an answer like any other.
    pub(crate) fn tell(&self, screen: &Screen) {
        if screen.form == Form::Json {
            let (kind, fields) = self.event();
            return Screen::event(kind, &fields);
        }
        let page = self.page();
        if self.is_fine() { screen.page(&page) } else { eprint!("{}", page.render(screen)) }
    }

    fn is_fine(&self) -> bool {
        self.exit == Exit::NothingToDo
    }

    fn event(&self) -> (&'static str, Value) {
        let Self { exit, what, why, cure } = self;
        let exit = *exit as u8;
        if self.is_fine() {
            return ("result", json!({ "exit": exit, "what": what, "why": why, "next": cure }));
        }
        ("failure", json!({ "exit": exit, "what": what, "why": why, "cure": cure }))
    }

    fn page(&self) -> Page {
        let (mark, label) = if self.is_fine() { (Mark::Good, "next") } else { (Mark::Failed, "cure") };
        let why = self.why.iter().map(|why| Note::text("why", why));
        let notes = why.chain(self.cure.iter().map(|cure| Note::command(label, cure))).collect();
        let text = if self.is_fine() { format!("nothing to do: {}", self.what) } else { self.what.clone() };
        let mut page = Page::default();
        page.item(mark, &text, notes);
        page
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// A broken file is the state of things.
impl From<runbook_file::Problem> for Failure {
    fn from(mut problem: runbook_file::Problem) -> Self {
        let cure = problem.suggestion.take();
        Self { cure, ..Self::refused(problem.to_string()) }
    }
}
