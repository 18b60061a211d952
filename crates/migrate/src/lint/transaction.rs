//! Whether a file runs in the kind of transaction that its statements need.

use super::{Parsed, Said};
use crate::words::words;
use squawk_syntax::ast::{AstNode, Stmt};

pub(super) const RULES: &[&str] =
    &["ban-vacuum-full", "needless-no-transaction", "needs-no-transaction", "syntax-error"];

pub(super) fn check(parsed: &Parsed) -> Vec<Said> {
    let mut said: Vec<_> = parsed
        .tree
        .errors()
        .iter()
        .map(|error| Said {
            rule: "syntax-error".to_owned(),
            at: error.range().start().into(),
            message: error.message().to_owned(),
            help: None,
        })
        .collect();
    let help = "Leave it to autovacuum; for a table that must shrink, plan a window and run it by hand.";
    let full = parsed.statements.iter().filter(|statement| match statement {
        Stmt::Cluster(_) => true,
        Stmt::Vacuum(_) => words(&statement.syntax().to_string()).iter().any(|word| word == "full"),
        _ => false,
    });
    said.extend(
        full.map(|it| Said::new("ban-vacuum-full", it, "Writes the table anew while nobody may read it.", help)),
    );
    let alone: Vec<_> = parsed.statements.iter().filter(|statement| runs_alone(statement)).collect();
    if parsed.file.no_transaction {
        if let (true, Some(first)) = (alone.is_empty(), parsed.statements.first()) {
            let help = "Remove the header: one transaction leaves all of a file or nothing.";
            said.push(Said::new("needless-no-transaction", first, "No statement needs `-- no-transaction`.", help));
        }
        return said;
    }
    let help = "Put it into a file of its own with the header `-- no-transaction`.";
    let refused =
        |statement: &&Stmt| Said::new("needs-no-transaction", statement, "Cannot run in a transaction.", help);
    said.extend(alone.iter().map(refused));
    said
}

/// Whether PostgreSQL refuses the statement in a transaction.
pub(crate) fn runs_alone(statement: &Stmt) -> bool {
    let words = words(&statement.syntax().to_string());
    let has = |word: &str| words.iter().any(|known| known == word);
    match statement {
        Stmt::CreateIndex(_) | Stmt::DropIndex(_) | Stmt::Reindex(_) => {
            has("concurrently") || matches!(words.get(1).map(String::as_str), Some("database" | "system" | "schema"))
        }
        Stmt::AlterTable(_) => has("detach") && has("concurrently"),
        Stmt::Vacuum(_)
        | Stmt::CreateDatabase(_)
        | Stmt::DropDatabase(_)
        | Stmt::AlterSystem(_)
        | Stmt::CreateTablespace(_)
        | Stmt::DropTablespace(_) => true,
        Stmt::Cluster(_) => words.len() == 1,
        _ => false,
    }
}
