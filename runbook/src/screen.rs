//! Who reads: a person at a terminal, a file, or a program.

use crate::page::Page;
use clap::ValueEnum;
use serde_json::Value;
use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
};

/// The version of the events of `--output json`. A new field leaves it as it is; a changed or removed one does not.
const SCHEMA: u32 = 1;
/// Of a line, where nobody says how wide it is.
const WIDTH: usize = 100;
/// Of a terminal that does not say.
const HEIGHT: usize = 24;

/// Which variables say how a terminal writes, the first that is set.
const LOCALE: [&str; 3] = ["LC_ALL", "LC_CTYPE", "LANG"];
/// Lines that the step needs itself.
const ABOVE: usize = 4;

/// How things are said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people at a terminal: colours, wrapped to its width
    Human,
    /// One JSON object a line
    Json,
    /// No colours, nothing wrapped: for files, pipes and CI
    Plain,
}

/// Standard output, as it was found.
#[derive(Debug, Clone)]
pub(crate) struct Screen {
    pub(crate) form: Form,
    /// Of a line, in characters: from 60 to 200.
    pub(crate) width: usize,
    pub(crate) has_colour: bool,
    /// Somebody sees it while it is written.
    pub(crate) is_terminal: bool,
    /// Lines of the terminal.
    pub(crate) height: usize,
}

impl Screen {
    /// As it was asked for, or as standard output is.
    pub(crate) fn find(asked: Option<Form>) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let form = asked.unwrap_or(if is_terminal { Form::Human } else { Form::Plain });
        let (width, height) = terminal_size::terminal_size()
            .map_or((WIDTH, HEIGHT), |(width, height)| (usize::from(width.0), usize::from(height.0)));
        let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        let has_colour = form == Form::Human && is_terminal && !is_set("NO_COLOR") && !is_dumb;
        Self { form, width: width.clamp(60, 200), has_colour, is_terminal, height }
    }

    /// Where a rollout is drawn: below the step, and never so high that lines leave the terminal.
    pub(crate) fn canvas(&self) -> rollout::Canvas {
        let is_ascii = !LOCALE
            .iter()
            .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
            .is_some_and(|locale| locale.to_ascii_lowercase().replace('-', "").contains("utf8"));
        let height = self.height.saturating_sub(ABOVE).max(3);
        rollout::Canvas { width: self.width - 4, height, is_ascii, has_colour: self.has_colour }
    }

    /// A page, for people.
    pub(crate) fn page(&self, page: &Page) {
        print(&page.render(self));
    }

    /// What is laid out already, for people.
    pub(crate) fn text(text: &str) {
        print(text);
    }

    /// One line of `--output json`.
    pub(crate) fn event(kind: &str, fields: &Value) {
        let mut event = serde_json::Map::new();
        event.insert("schema".to_owned(), SCHEMA.into());
        event.insert("event".to_owned(), kind.into());
        event.extend(fields.as_object().cloned().unwrap_or_default());
        print(&format!("{}\n", Value::Object(event)));
    }
}

/// Text on standard output as it is; whoever reads may stop at any line.
pub(crate) fn print(text: &str) {
    #[cfg(test)]
    if heard::hears(text) {
        return;
    }
    let _ = io::stdout().write_all(text.as_bytes());
}

/// Standard output, as a test reads it.
#[cfg(test)]
pub(crate) mod heard {
    use std::cell::RefCell;

    thread_local! {
        static HEARD: RefCell<Option<String>> = const { RefCell::new(None) };
    }

    /// From now on what this thread prints is kept.
    pub(crate) fn begin() {
        HEARD.set(Some(String::new()));
    }

    /// What was printed.
    pub(crate) fn end() -> String {
        HEARD.take().unwrap_or_default()
    }

    pub(super) fn hears(text: &str) -> bool {
        HEARD.with_borrow_mut(|heard| heard.as_mut().map(|heard| heard.push_str(text)).is_some())
    }
}
