//! Value errors: all of a request's at once, each with a pointer.

use crate::{Code, Problem, problem::FieldError};

/// A request type says what its values must be; its shape is serde's part.
pub trait Validate {
    /// Adds every value that cannot be taken.
    fn validate(&self, errors: &mut Violations);
}

/// The values that cannot be taken.
#[derive(Debug, Default)]
pub struct Violations(Vec<FieldError>);

impl Violations {
    /// One more.
    pub fn add(&mut self, pointer: &str, code: &str, detail: &str) {
        self.0.push(FieldError { pointer: pointer.into(), code: code.into(), detail: detail.into() });
    }

    /// One more, unless the condition holds.
    pub fn require(&mut self, holds: bool, pointer: &str, code: &str, detail: &str) {
        if !holds {
            self.add(pointer, code, detail);
        }
    }

    /// A text of so many characters, without control characters or blanks at its ends.
    pub fn text(&mut self, pointer: &str, text: &str, characters: std::ops::RangeInclusive<usize>) {
        let (least, most) = (characters.start(), characters.end());
        if !characters.contains(&text.chars().count()) {
            self.add(pointer, "length", &format!("must have {least} to {most} characters"));
        } else if text.trim() != text || text.chars().any(char::is_control) {
            self.add(pointer, "characters", "must not have control characters, or blanks at its ends");
        }
    }

    pub(crate) fn of(value: &impl Validate) -> Result<(), Problem> {
        let mut errors = Self::default();
        value.validate(&mut errors);
        if errors.0.is_empty() { Ok(()) } else { Err(Problem::new(Code::Invalid).with_errors(errors.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_counted_in_characters_and_has_no_blanks_around_it() {
        let check = |text: &str| {
            let mut errors = Violations::default();
            errors.text("/name", text, 1..=3);
            errors.0.pop().map(|error| error.code)
        };
        assert_eq!(check("äöü"), None);
        assert_eq!(check(""), Some("length".into()));
        assert_eq!(check("abcd"), Some("length".into()));
        assert_eq!(check(" a"), Some("characters".into()));
        assert_eq!(check("a\u{7}"), Some("characters".into()));
    }
}
