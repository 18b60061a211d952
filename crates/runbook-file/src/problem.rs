//! What is wrong with the file: where, what, and what was probably meant.

use crate::{NAME, secret};
use std::{fmt, io, ops::Range, path::Path};

/// Shown in full by `Display`: a line for the message, then the place and a suggestion where there are any.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// What is wrong, in one line, without its place.
    pub message: String,
    /// Where.
    pub place: Option<Place>,
    /// What would cure it.
    pub suggestion: Option<String>,
}

/// A place in the file.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The line as it is written; none where it may hold a secret.
    text: Option<String>,
    /// In characters.
    width: usize,
}

impl Problem {
    pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Self {
        let suggestion = (error.kind() == io::ErrorKind::NotFound)
            .then(|| "go to the project's folder, or write one: runbook init".to_owned());
        Self { message: format!("{} cannot be read: {error}", path.display()), place: None, suggestion }
    }

    pub(crate) fn of_toml(error: &toml::de::Error, text: &str) -> Self {
        let message = error.message().lines().next().unwrap_or_default();
        let (message, suggestion) = unknown(message).unwrap_or_else(|| (message.to_owned(), None));
        let place = error.span().map(|span| Place::of(text, &span));
        // What is no place of a secret may be the secret.
        let place = if message == secret::WRITTEN { place.map(Place::without_text) } else { place };
        Self { message, place, suggestion }
    }

    pub(crate) fn at(text: &str, span: &Range<usize>, message: String) -> Self {
        Self { message, place: Some(Place::of(text, span)), suggestion: None }
    }

    pub(crate) fn no_environment<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Self {
        let known: Vec<_> = known.collect();
        let message = format!("{NAME} has no environment {name}; it has {}", known.join(", "));
        Self { message, place: None, suggestion: nearest(name, known.into_iter()) }
    }
}

/// Serde's words about a key or a word that it does not know, in ours; and the nearest one that it does.
fn unknown(message: &str) -> Option<(String, Option<String>)> {
    let kind = if message.starts_with("unknown field") {
        "key"
    } else if message.starts_with("unknown variant") {
        "word"
    } else {
        return None;
    };
    let mut quoted = message.split('`').skip(1).step_by(2);
    let found = quoted.next()?;
    let known: Vec<_> = quoted.collect();
    let suggestion = nearest(found, known.iter().copied());
    Some((format!("unknown {kind} `{found}`; there are {}", known.join(", ")), suggestion))
}

fn nearest<'a>(found: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let scored = known.map(|name| (strsim::damerau_levenshtein(found, name), name));
    let (_, name) = scored.filter(|(distance, name)| distance * 2 <= name.len()).min()?;
    Some(format!("did you mean `{name}`?"))
}

impl Place {
    fn of(text: &str, span: &Range<usize>) -> Self {
        let start = span.start.min(text.len());
        let before = &text[..start];
        let begin = before.rfind('\n').map_or(0, |end| end + 1);
        let line = text[begin..].lines().next().unwrap_or_default();
        let end = span.end.clamp(start, begin + line.len());
        Self {
            line: before.matches('\n').count() + 1,
            column: text[begin..start].chars().count() + 1,
            // A URL with a password, written where or how it must not be.
            text: (!line.contains('@')).then(|| line.to_owned()),
            width: text[start..end].chars().count().max(1),
        }
    }

    fn without_text(self) -> Self {
        Self { text: None, ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, place, suggestion } = self;
        match place {
            Some(Place { line, column, .. }) => write!(f, "{NAME}:{line}:{column}: {message}")?,
            None => f.write_str(message)?,
        }
        if let Some(Place { line, column, text: Some(text), width }) = place {
            let gutter = " ".repeat(line.to_string().len());
            write!(f, "\n {line} | {text}\n {gutter} | {}{}", " ".repeat(column - 1), "^".repeat(*width))?;
        }
        match suggestion {
            Some(suggestion) => write!(f, "\n{suggestion}"),
            None => Ok(()),
        }
    }
}
