//! What a command says to people, and how it is laid out: one look for all commands.

use crate::screen::{Form, Screen};
use anstyle::{AnsiColor, Style};
use std::{fmt::Write as _, iter};
use textwrap::{
    WordSeparator, WordSplitter,
    core::{Word, display_width},
};

/// Of wrapped text, in characters.
const NARROWEST: usize = 20;

/// Lines in their order.
#[derive(Default)]
pub(crate) struct Page(Vec<Block>);

enum Block {
    Title(String),
    Pair { key: String, value: String },
    Item { mark: Mark, text: String, notes: Vec<Note> },
    Step { title: String, command: String, undone_by: Option<String> },
    Text(String),
}

/// How a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Good,
    Warning,
    Failed,
}

/// What belongs to an item.
pub(crate) struct Note {
    label: &'static str,
    text: String,
    is_command: bool,
}

impl Note {
    pub(crate) fn text(label: &'static str, text: &str) -> Self {
        Self { label, text: text.to_owned(), is_command: false }
    }

    /// Never wrapped, so that it can be pasted.
    pub(crate) fn command(label: &'static str, text: &str) -> Self {
        Self { label, text: text.to_owned(), is_command: true }
    }
}

impl Page {
    pub(crate) fn title(&mut self, text: impl Into<String>) {
        self.0.push(Block::Title(text.into()));
    }

    pub(crate) fn pair(&mut self, key: &str, value: impl Into<String>) {
        self.0.push(Block::Pair { key: key.to_owned(), value: value.into() });
    }

    pub(crate) fn item(&mut self, mark: Mark, text: &str, notes: Vec<Note>) {
        self.0.push(Block::Item { mark, text: text.to_owned(), notes });
    }

    /// A step of a plan, with the document's lines.
    pub(crate) fn step(&mut self, title: &str, command: &str, undone_by: Option<&str>) {
        let undone_by = undone_by.map(str::to_owned);
        self.0.push(Block::Step { title: title.to_owned(), command: command.to_owned(), undone_by });
    }

    pub(crate) fn text(&mut self, text: impl Into<String>) {
        self.0.push(Block::Text(text.into()));
    }

    /// As one text, which ends with a line.
    pub(crate) fn render(&self, screen: &Screen) -> String {
        let mut text = String::new();
        let keys =
            self.0.iter().filter_map(|block| if let Block::Pair { key, .. } = block { Some(key.len()) } else { None });
        let key_width = keys.max().unwrap_or_default();
        for block in &self.0 {
            match screen.form {
                Form::Human => block.human(screen, key_width, &mut text),
                Form::Plain | Form::Json => block.plain(&mut text),
            }
        }
        if screen.form == Form::Human { format!("{text}\n") } else { text }
    }
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

impl Block {
    fn human(&self, screen: &Screen, key_width: usize, out: &mut String) {
        let paint = |style: Style, text: &str| paint(screen, style, text);
        match self {
            Self::Title(text) => {
                let _ = writeln!(out, "\n  {}", paint(BOLD, text));
            }
            Self::Pair { key, value } => {
                let first = format!("    {}  ", paint(DIM, &format!("{key:<key_width$}")));
                wrap(screen, &first, key_width + 6, value, out);
            }
            Self::Item { mark, text, notes } => {
                let mut lines = text.lines();
                wrap(screen, &format!("  {} ", mark.painted(screen)), 4, lines.next().unwrap_or_default(), out);
                // Further lines stand in columns, as a source line above its caret.
                lines.for_each(|line| out.extend(["    ", line, "\n"]));
                let width = notes.iter().map(|note| note.label.len()).max().unwrap_or_default();
                for note in notes {
                    let first = format!("      {}  ", paint(DIM, &format!("{:<width$}", note.label)));
                    if note.is_command {
                        let _ = writeln!(out, "{first}{}", note.text);
                    } else {
                        wrap(screen, &first, width + 8, &note.text, out);
                    }
                }
            }
            Self::Step { title, command, undone_by } => {
                wrap(screen, "  • ", 4, title, out);
                command.lines().for_each(|line| out.extend([self::command(screen, line).as_str(), "\n"]));
                for line in undone_by.iter().flat_map(|lines| lines.lines()) {
                    let _ = writeln!(out, "      {}  {line}", paint(DIM, "undone by"));
                }
            }
            Self::Text(text) => {
                out.push('\n');
                if !text.is_empty() {
                    wrap(screen, "  ", 2, text, out);
                }
            }
        }
    }

    fn plain(&self, out: &mut String) {
        let _ = match self {
            Self::Title(text) => writeln!(out, "{text}:"),
            Self::Text(text) => writeln!(out, "{text}"),
            Self::Step { title, command, undone_by } => {
                let _ = writeln!(out, "- {title}");
                let lines = command.lines().try_for_each(|line| writeln!(out, "    {line}"));
                let mut undone_by = undone_by.iter().flat_map(|lines| lines.lines());
                lines.and_then(|()| undone_by.try_for_each(|line| writeln!(out, "    undone by: {line}")))
            }
            Self::Pair { key, value } => writeln!(out, "  {key}: {value}"),
            Self::Item { mark, text, notes } => {
                let _ = writeln!(out, "{}: {text}", mark.word());
                notes.iter().try_for_each(|note| writeln!(out, "  {}: {}", note.label, note.text))
            }
        };
    }
}

impl Mark {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Failed => "error",
        }
    }

    fn painted(self, screen: &Screen) -> String {
        let (sign, colour) = match self {
            Self::Good => ("✓", AnsiColor::Green),
            Self::Warning => ("!", AnsiColor::Yellow),
            Self::Failed => ("✗", AnsiColor::Red),
        };
        paint(screen, colour.on_default(), sign)
    }
}

/// One of the document's lines, in a plan; never wrapped, so that it can be pasted.
fn command(screen: &Screen, line: &str) -> String {
    format!("      {}", paint(screen, DIM, line))
}

/// The same while it is run, before the step that it belongs to: it is no evidence of the one above it.
pub(crate) fn run(screen: &Screen, line: &str) -> String {
    format!("  {}", paint(screen, DIM, &format!("$ {line}")))
}

/// A line of what shows that something was done; cut at the screen's edge, whole where nobody sees an edge.
pub(crate) fn evidence(screen: &Screen, line: &str) -> String {
    // Programs align their tables with tabs after spaces.
    let line = line.replace('\t', "  ");
    let line = if screen.form == Form::Human { cut(&line, screen.width - 6) } else { line };
    format!("      {line}").trim_end().to_owned()
}

/// A line of what shows why something failed: all of it, wrapped.
pub(crate) fn symptom(screen: &Screen, line: &str) -> String {
    let line = line.replace('\t', "  ");
    let line = line.trim_end();
    if screen.form != Form::Human || line.is_empty() {
        return format!("      {line}").trim_end().to_owned();
    }
    let text = line.trim_start();
    let indent = 6 + line.len() - text.len();
    let mut out = String::new();
    wrap(screen, "", indent + 2, text, &mut out);
    format!("{}{}", " ".repeat(indent), out.trim_end_matches('\n'))
}

/// What fits, with a sign that there is more.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if display_width(text) <= width {
        return text.to_owned();
    }
    let (mut kept, mut taken) = (String::new(), 0);
    for char in text.chars() {
        taken += display_width(char.encode_utf8(&mut [0; 4]));
        if taken >= width {
            break;
        }
        kept.push(char);
    }
    kept + "…"
}

/// A line with its mark, and what belongs to it, wrapped.
pub(crate) fn marked(screen: &Screen, mark: Mark, text: &str, notes: Vec<Note>) -> String {
    let mut out = String::new();
    Block::Item { mark, text: text.to_owned(), notes }.human(screen, 0, &mut out);
    out.trim_end_matches('\n').to_owned()
}

/// A heading of the document, after a free line.
pub(crate) fn heading(screen: &Screen, text: &str) -> String {
    format!("\n  {}", paint(screen, BOLD, text))
}

fn paint(screen: &Screen, style: Style, text: &str) -> String {
    if screen.has_colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// After `first`, whose visible width is `indent`. What stands between backticks is to be pasted, and stays in one line.
fn wrap(screen: &Screen, first: &str, indent: usize, text: &str, out: &mut String) {
    // No text is so narrow that it cannot be read.
    let width = screen.width.saturating_sub(indent).max(NARROWEST);
    let options = textwrap::Options::new(width)
        .break_words(false)
        .word_separator(WordSeparator::Custom(words))
        // Names are not taken apart at their hyphens.
        .word_splitter(WordSplitter::NoHyphenation);
    for (number, line) in textwrap::wrap(text, options).iter().enumerate() {
        let before = if number == 0 { first.to_owned() } else { " ".repeat(indent) };
        let _ = writeln!(out, "{before}{line}");
    }
}

/// Separated by spaces, of which those between backticks do not count.
fn words(text: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    let mut rest = text;
    Box::new(iter::from_fn(move || {
        let (word, after) = rest.split_at(end_of_word(rest));
        rest = after;
        (!word.is_empty()).then(|| Word::from(word))
    }))
}

/// Where the next word begins.
fn end_of_word(text: &str) -> usize {
    let (mut is_quoted, mut is_over) = (false, false);
    for (place, char) in text.char_indices() {
        match char {
            ' ' => is_over = !is_quoted,
            _ if is_over => return place,
            // One that nobody closes is only a sign.
            '`' => is_quoted = !is_quoted && text[place + 1..].contains('`'),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(width: usize) -> Screen {
        Screen { form: Form::Human, width, has_colour: false, is_terminal: true, height: 24 }
    }

    #[test]
    fn a_line_ends_between_two_words_and_never_in_a_name_or_in_what_is_to_be_pasted() {
        let text = "read why in the namespace kube-system of prod-us-east-1: `kubectl -n production logs auth-service-0`, or don't";
        insta::assert_snapshot!(marked(&screen(60), Mark::Failed, text, vec![Note::text("why", text)]), @"
          ✗ read why in the namespace kube-system of prod-us-east-1:
            `kubectl -n production logs auth-service-0`, or don't
              why  read why in the namespace kube-system of
                   prod-us-east-1:
                   `kubectl -n production logs auth-service-0`, or
                   don't
        ");
    }

    #[test]
    fn evidence_is_cut_with_a_sign_and_a_symptom_is_whole() {
        let line = "  1       \tWed Nov 25 02:18:36 2026\tsuperseded\tapi-platform-0.1.0\tInstall complete\t";
        assert_eq!(evidence(&screen(60), line), "        1         Wed Nov 25 02:18:36 2026  superseded  api…");
        let whole =
            "        1         Wed Nov 25 02:18:36 2026  superseded\n          api-platform-0.1.0  Install complete";
        assert_eq!(symptom(&screen(60), line), whole);
        let file = Screen { form: Form::Plain, ..screen(60) };
        assert_eq!(evidence(&file, line), symptom(&file, line));
        assert_eq!(evidence(&screen(60), "") + &symptom(&screen(60), "\t"), "", "no spaces are left behind");
    }
}
