//! What is right or wrong by the order of statements.

use super::{Parsed, Said};
use crate::words::words;
use squawk_syntax::ast::{AstNode, Stmt};

pub(super) const RULES: &[&str] = &["data-under-lock", "timeout-after-change", "timeout-lifted"];

/// Goes through the statements once. A timeout that comes after the change guards nothing, one that is lifted guards
/// nothing more, and rows that are written after a table was locked keep everyone out for as long.
pub(super) fn check(parsed: &Parsed) -> Vec<Said> {
    let mut said = Vec::new();
    let (mut made, mut locked): (Vec<String>, Option<String>) = (Vec::new(), None);
    let mut changed = false;
    for statement in &parsed.statements {
        let words = words(&statement.syntax().to_string());
        if let Stmt::CreateTable(_) | Stmt::CreateTableAs(_) = statement {
            made.extend(table_after(&words, "table"));
        }
        if let Some(problem) = timeout(statement, &words, changed) {
            said.push(problem);
        }
        changed |= changes_schema(statement);
        if matches!(statement, Stmt::AlterTable(_)) {
            let table = table_after(&words, "table");
            // The lock is held to the end of the transaction; what was made in it nobody waits for.
            locked = locked.or_else(|| table.filter(|table| !parsed.file.no_transaction && !made.contains(table)));
        } else if let (Some(table), true) = (&locked, writes_rows(statement)) {
            let message = format!("Writes rows while {table} is locked: its readers wait for all of them.");
            let help = "Write rows in a file of their own or, when there are many, by a backfill.";
            said.push(Said::new("data-under-lock", statement, message, help));
        }
    }
    said
}

fn timeout(statement: &Stmt, words: &[String], changed: bool) -> Option<Said> {
    let is_timeout = |word: &String| ["lock_timeout", "statement_timeout"].contains(&word.as_str());
    let named = words.iter().any(is_timeout);
    let lifts = match statement {
        Stmt::Reset(_) => named || words.iter().any(|word| word == "all"),
        Stmt::Discard(_) => true,
        Stmt::Set(_) => named && words.last().is_some_and(|value| ["0", "'0'", "default"].contains(&value.as_str())),
        _ => return None,
    };
    if lifts {
        let help = "Leave the timeouts to `up`, or set a shorter one as the first statement.";
        return Some(Said::new("timeout-lifted", statement, "Lifts the timeouts that `up` sets.", help));
    }
    let help = "Set it as the first statement.";
    let late = || Said::new("timeout-after-change", statement, "Comes after a change that it should guard.", help);
    (named && changed).then(late)
}

fn changes_schema(statement: &Stmt) -> bool {
    let text = words(&statement.syntax().to_string());
    text.first()
        .is_some_and(|word| ["alter", "create", "drop", "truncate", "reindex", "cluster"].contains(&word.as_str()))
}

fn writes_rows(statement: &Stmt) -> bool {
    match statement {
        Stmt::Update(_) | Stmt::Delete(_) | Stmt::Merge(_) | Stmt::Copy(_) => true,
        // A few literal rows take no time.
        Stmt::Insert(_) => words(&statement.syntax().to_string()).iter().any(|word| word == "select"),
        _ => false,
    }
}

/// The table's name, which comes after a word and `IF [NOT] EXISTS` and `ONLY`.
fn table_after(words: &[String], word: &str) -> Option<String> {
    let start = words.iter().position(|known| known == word)? + 1;
    let skipped = |known: &&String| ["if", "not", "exists", "only"].contains(&known.as_str());
    let name = words[start..].iter().skip_while(skipped).take_while({
        let mut dot = true;
        move |part| {
            let goes_on = dot || part.as_str() == ".";
            dot = part.as_str() == ".";
            goes_on
        }
    });
    Some(name.map(String::as_str).collect::<String>().trim_start_matches("public.").to_owned())
}
