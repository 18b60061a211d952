//! Where in a file something is wrong, and what its statements are.

use squawk_syntax::{
    SourceFile,
    ast::{AstNode, Stmt},
};
use std::fmt;

/// A place in a file, as an editor counts: lines and columns from 1, a column for each character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// The line's text.
    pub text: String,
}

/// At most so much of a line is shown: data may fill megabytes without a break.
const SHOWN: usize = 120;

impl Place {
    /// By the number of bytes before it.
    pub(crate) fn after(sql: &str, bytes: usize) -> Self {
        let before = &sql[..bytes];
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let text = sql[start..].lines().next().unwrap_or_default().to_owned();
        Self { line: before.matches('\n').count() + 1, column: before[start..].chars().count() + 1, text }
    }

    /// By PostgreSQL's count: characters, from 1.
    pub(crate) fn of_character(sql: &str, position: u32) -> Self {
        let bytes = sql.char_indices().nth((position as usize).saturating_sub(1)).map_or(sql.len(), |(bytes, _)| bytes);
        Self::after(sql, bytes)
    }

    /// The start of the statement that came after so many others; none where the server understands more than we do.
    pub(crate) fn of_statement(sql: &str, before: usize) -> Option<Self> {
        let parsed = SourceFile::parse(sql);
        let mut statements = parsed.tree().stmts().filter(|statement| !matches!(statement, Stmt::EmptyStmt(_)));
        let statement = statements.nth(before).filter(|_| parsed.errors().is_empty())?;
        Some(Self::after(sql, statement.syntax().text_range().start().into()))
    }

    /// The first statement that would end the transaction that a file shares with its record, or begin one of its own.
    pub(crate) fn of_transaction_control(sql: &str) -> Option<Self> {
        let controls = |statement: &Stmt| {
            matches!(
                statement,
                Stmt::Begin(_)
                    | Stmt::Commit(_)
                    | Stmt::Rollback(_)
                    | Stmt::SavepointCreate(_)
                    | Stmt::ReleaseSavepoint(_)
                    | Stmt::PrepareTransaction(_)
            )
        };
        let statement = SourceFile::parse(sql).tree().stmts().find(controls)?;
        Some(Self::after(sql, statement.syntax().text_range().start().into()))
    }
}

/// The line, and a caret under the column.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skipped = if self.column > SHOWN { self.column - SHOWN / 2 } else { 0 };
        let shown = self.text.chars().skip(skipped).take(SHOWN);
        // A tab has no width that a caret could count on.
        let shown: String = shown.map(|character| if character.is_control() { ' ' } else { character }).collect();
        write!(f, "    {}\n    {:>2$}", shown.trim_end(), '^', self.column - skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(sql: &str) -> Option<(usize, usize)> {
        Place::of_transaction_control(sql).map(|place| (place.line, place.column))
    }

    #[test]
    fn statements_of_a_transaction_are_found_wherever_they_stand() {
        for word in ["BEGIN", "start transaction", "Commit", "COMMIT AND CHAIN", "END", "ROLLBACK", "ABORT"] {
            assert_eq!(control(&format!("SELECT 1;\n  {word};")), Some((2, 3)), "{word}");
        }
        for word in ["SAVEPOINT a", "ROLLBACK TO a", "RELEASE a", "PREPARE TRANSACTION 'a'", "COMMIT PREPARED 'a'"] {
            assert_eq!(control(&format!("/* é */ {word}")), Some((1, 9)), "{word}");
        }
        assert_eq!(control("SELECT nonsense FROM (; commit"), Some((1, 25)));
    }

    #[test]
    fn the_same_words_in_bodies_strings_and_comments_are_none() {
        for sql in [
            "DO $$ BEGIN COMMIT; END $$",
            "CREATE PROCEDURE p() LANGUAGE plpgsql AS $body$ BEGIN; ROLLBACK; END $body$",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END",
            "SELECT 'a''; COMMIT;', E'\\'; COMMIT;', \"; COMMIT;\" FROM t -- ; COMMIT;",
            "/* /* ; COMMIT; */ ; COMMIT; */ SELECT CASE WHEN true THEN 1 END",
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; ALTER TABLE begin ADD commit int",
        ] {
            assert_eq!(control(sql), None, "{sql}");
        }
    }

    #[test]
    fn a_caret_stands_under_the_column_even_in_a_very_long_line() {
        assert_eq!(Place::of_character("SELECT 1;\n\té nix", 14).to_string(), "     é nix\n       ^");
        let sql = format!("SELECT {}!", "x".repeat(5_000_000));
        let shown = Place::of_character(&sql, 5_000_008).to_string();
        let (text, caret) = shown.split_once('\n').unwrap();
        assert!(text.len() < 200 && text.find('!') == caret.find('^'), "{shown}");
    }
}
