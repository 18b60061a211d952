//! Backfills: rows of a large table are brought up to date in short transactions, as fast as others can stand.
//!
//! A file in `migrations/backfills` names a table, a unique key of it and one statement over a range of that key. Each
//! batch moves its place in `_migration_backfills` in the transaction of its rows, so a run that was killed at any
//! moment is simply started again. How GitLab's batched background migrations and pgroll do it was looked at; ours has
//! keys of several columns, an end that is fixed when it starts (xataio/pgroll#583), a rate that heeds standbys
//! (xataio/pgroll#168) and batches counted in rows, not in a range of numbers that may be mostly empty.

mod batch;
mod error;
mod latency;
mod pace;
mod progress;
mod run;
mod strain;

pub use error::BackfillError;
pub(crate) use progress::lacking;
pub use progress::{BackfillState, Progress, pause, progress};
pub use run::{Outcome, run};
pub use strain::Limits;

use crate::{
    file::{checksum, has_date},
    words::words,
};
use squawk_syntax::{SourceFile, ast::Stmt};

/// A backfill, as its file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backfill {
    /// `YYYYMMDD_name`, without `.sql`.
    pub name: String,
    /// Whose rows are gone through (`-- table:`).
    pub table: String,
    /// The columns of a unique key, in whose order (`-- key:`).
    pub key: Vec<String>,
    /// At most so many rows in a transaction (`-- batch:`).
    pub batch: i64,
    /// The statement for a range of keys: from `$1`, … to and with the parameters that follow.
    pub sql: String,
    checksum: String,
}

/// Rows of a batch where the file does not say.
const BATCH: i64 = 1000;

impl Backfill {
    /// Reads a file, whose text is normalised; the error says what is wrong.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, String> {
        if !has_date(name) {
            return Err("a backfill is named YYYYMMDD_name.sql, with a date that exists".to_owned());
        }
        let header = |wanted: &str| {
            let comments = text.lines().take_while(|line| line.is_empty() || line.starts_with("--"));
            let mut values = comments.filter_map(|line| line.trim_start_matches('-').trim().strip_prefix(wanted));
            values.next().map(str::trim).filter(|value| !value.is_empty())
        };
        let table = header("table:").ok_or("its header needs a line `-- table: NAME`")?.to_owned();
        let key = header("key:").ok_or("its header needs a line `-- key: COLUMN`, or several columns, with commas")?;
        let key: Vec<_> = key.split(',').map(|column| column.trim().to_owned()).collect();
        if let Some(name) = key.iter().chain([&table]).find(|name| !is_plain(name)) {
            return Err(format!("{name:?} is no plain name: small letters, digits, underscores"));
        }
        let batch = header("batch:").map_or(Ok(BATCH), str::parse);
        let batch = batch.ok().filter(|batch| (1..=100_000).contains(batch));
        let batch = batch.ok_or("the header `-- batch:` needs a number of rows from 1 to 100000")?;
        check(text, 2 * key.len())?;
        let (name, sql, checksum) = (name.to_owned(), text.to_owned(), checksum(text));
        Ok(Self { name, table, key, batch, sql, checksum })
    }
}

/// What needs no quotes, with the schema where it is not `public`.
fn is_plain(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.split('.').all(|part| part.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') && part.chars().all(fits))
}

/// One statement that writes rows, over the whole range.
fn check(text: &str, parameters: usize) -> Result<(), String> {
    let parsed = SourceFile::parse(text);
    let mut statements = parsed.tree().stmts().filter(|statement| !matches!(statement, Stmt::EmptyStmt(_)));
    if let Some(error) = parsed.errors().first() {
        return Err(format!("its statement cannot be read: {}", error.message()));
    }
    let first = statements.next();
    if !matches!(first, Some(Stmt::Update(_) | Stmt::Delete(_) | Stmt::Insert(_) | Stmt::Merge(_)))
        || statements.next().is_some()
    {
        return Err("it needs one statement: UPDATE, DELETE, INSERT or MERGE".to_owned());
    }
    let words = words(text);
    let used = |number: usize| words.contains(&format!("${number}"));
    if (1..=parameters).all(used) && !used(parameters + 1) {
        return Ok(());
    }
    let half = parameters / 2;
    let range = if half == 1 {
        "$1 AND $2".to_owned()
    } else {
        let list = |from: usize| (from..from + half).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
        format!("({}) AND ({})", list(1), list(half + 1))
    };
    Err(format!("its statement must keep to the range of keys that a batch is given: BETWEEN {range}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILL: &str =
        "-- Why.\n-- table: people\n-- key: id\n-- batch: 50\nUPDATE people SET a = 1 WHERE id BETWEEN $1 AND $2;";

    #[test]
    fn a_file_is_read() {
        let backfill = Backfill::parse("20250101_fill", FILL).unwrap();
        assert_eq!((backfill.table.as_str(), backfill.key.join(" ").as_str(), backfill.batch), ("people", "id", 50));
        let two = "-- table: shop.people\n-- key: org_id, id\nUPDATE shop.people SET a = 1\nWHERE (org_id, id) BETWEEN ($1, $2) AND ($3, $4)";
        let backfill = Backfill::parse("20250101_fill", two).unwrap();
        assert_eq!((backfill.key.join(" ").as_str(), backfill.batch), ("org_id id", BATCH));
    }

    #[test]
    fn a_file_that_would_do_something_else_is_refused_with_the_reason() {
        let refused = |text: &str| Backfill::parse("20250101_fill", text).unwrap_err();
        for (from, to, reason) in [
            ("-- table: people", "", "-- table: NAME"),
            ("-- key: id", "", "-- key: COLUMN"),
            ("table: people", "table: People; DROP", "no plain name"),
            ("batch: 50", "batch: many", "from 1 to 100000"),
            ("batch: 50", "batch: 0", "from 1 to 100000"),
            ("BETWEEN $1 AND $2", "> 0", "BETWEEN $1 AND $2"),
            ("AND $2", "AND 9", "BETWEEN $1 AND $2"),
            ("AND $2", "AND $2 + $3", "BETWEEN $1 AND $2"),
            ("-- key: id", "-- key: org_id, id", "BETWEEN ($1, $2) AND ($3, $4)"),
            ("$2;", "$2; DELETE FROM people", "one statement"),
            ("UPDATE people SET a = 1", "SELECT FROM people", "one statement"),
            ("UPDATE people SET", "UPDATE people SET SET", "cannot be read"),
        ] {
            assert!(FILL.contains(from), "{from}");
            let refused = refused(&FILL.replace(from, to));
            assert!(refused.contains(reason), "{to}: {refused}");
        }
        assert!(Backfill::parse("fill", FILL).unwrap_err().contains("YYYYMMDD_name.sql"));
    }
}
