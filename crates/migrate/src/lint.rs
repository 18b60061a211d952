//! What is dangerous in a migration file, found before it runs: squawk's rules, and those that only the order of
//! statements, the header and the release tell.

mod allow;
mod order;
mod release;
mod report;
mod squawk;
mod transaction;

pub use report::{human, sarif};
pub(crate) use transaction::runs_alone;

use crate::{File, Files, Place, down::down_of};
use semver::Version;
use squawk_syntax::{
    SourceFile,
    ast::{AstNode, Stmt},
};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// Which rule.
    pub rule: String,
    /// Where, as an editor counts.
    pub line: usize,
    /// Where in the line.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do instead.
    pub help: Option<String>,
}

/// A file as the rules see it.
struct Parsed<'a> {
    file: &'a File,
    tree: squawk_syntax::Parse<SourceFile>,
    statements: Vec<Stmt>,
}

/// What a rule says, at a byte of the text.
struct Said {
    rule: String,
    at: usize,
    message: String,
    help: Option<String>,
}

impl Said {
    fn new(rule: &str, statement: &Stmt, message: impl Into<String>, help: &str) -> Self {
        let at = statement.syntax().text_range().start().into();
        Self { rule: rule.to_owned(), at, message: message.into(), help: Some(help.to_owned()) }
    }
}

/// Names of all rules that are looked at.
pub fn rules() -> Vec<String> {
    let own = [order::RULES, release::RULES, transaction::RULES, allow::RULES].concat();
    let mut rules: Vec<_> = own.into_iter().map(str::to_owned).chain(squawk::rules()).collect();
    rules.sort();
    rules
}

/// Looks at every file; `release` is the version that they ship in.
pub fn lint(files: &Files, release: &Version) -> Vec<Finding> {
    files.in_order().iter().flat_map(|file| lint_file(file, release).into_iter().chain(lint_down(file))).collect()
}

/// Of what undoes a file only what `down` would refuse: it exists to drop what the file has made.
fn lint_down(file: &File) -> Option<Finding> {
    let place = Place::of_transaction_control(file.down.as_deref()?)?;
    Some(Finding {
        file: down_of(&file.name),
        rule: "transaction-nesting".to_owned(),
        line: place.line,
        column: place.column,
        message: "What undoes a file runs in one transaction with its record, and may not end it.".to_owned(),
        help: Some("Remove the statement.".to_owned()),
    })
}

fn lint_file(file: &File, release: &Version) -> Vec<Finding> {
    let tree = SourceFile::parse(&file.sql);
    let statements = tree.tree().stmts().filter(|statement| !matches!(statement, Stmt::EmptyStmt(_))).collect();
    let parsed = Parsed { file, tree, statements };
    let mut said = transaction::check(&parsed);
    said.extend(squawk::check(&parsed));
    said.extend(order::check(&parsed));
    said.extend(release::check(&parsed, release));
    let mut said = allow::apply(&parsed, said);
    said.sort_by(|a, b| (a.at, &a.rule).cmp(&(b.at, &b.rule)));
    let finding = |said: Said| {
        let place = Place::after(&file.sql, said.at);
        let Said { rule, message, help, .. } = said;
        Finding { file: file.name.clone(), rule, line: place.line, column: place.column, message, help }
    };
    said.into_iter().map(finding).collect()
}
