//! What `up` would do: each statement with its locks and its cost on the live database, and who is in the way.

mod report;

pub use crate::{
    catalog::Locked,
    locks::{Mode, Work},
};
pub use report::human;

use crate::{
    Entry, File, Files, Place, State, backfill,
    blockers::{self, Blocker},
    catalog,
    locks::{self, Effect},
    running::{self, Running},
    status::status,
};
use aws_lc_rs::digest::{SHA256, digest};
use squawk_syntax::{
    SourceFile,
    ast::{AstNode, Stmt},
};
use std::fmt::Write;
use tokio_postgres::{Client, Error};

/// Everything that is pending.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Plan {
    /// Names and checksums of the pending files and of what is applied, digested: the same plan has the same hash.
    pub hash: String,
    /// What stops `up` before anything runs.
    pub drift: Vec<Entry>,
    /// The pending files, in order.
    pub files: Vec<PlannedFile>,
    /// Sessions that hold what a statement needs, or would hold up `up` by their old snapshot.
    pub blockers: Vec<Blocker>,
}

/// One pending file.
#[derive(Debug, Clone, serde::Serialize)]
pub struct PlannedFile {
    /// Its name.
    pub name: String,
    /// Its SHA-256.
    pub checksum: String,
    /// Whether all of it or nothing is applied.
    pub transaction: bool,
    /// The oldest image that can run after it.
    pub oldest_app: Option<String>,
    /// Images seen within two minutes that could not run any more.
    pub can_no_longer_run: Vec<Running>,
    /// Backfills that must be done first, and are not.
    pub backfills_first: Vec<String>,
    /// What undoes it.
    pub undo: Undo,
    /// What runs.
    pub statements: Vec<PlannedStatement>,
}

/// What undoes a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// `platform migrate down`.
    Down,
    /// A new file, or a restored backup.
    NewFileOrBackup,
}

/// One statement.
#[derive(Debug, Clone, serde::Serialize)]
pub struct PlannedStatement {
    /// Where it begins in the file.
    pub line: usize,
    /// Its text.
    pub sql: String,
    /// The strongest lock on something that exists.
    pub lock: Option<Mode>,
    /// Every lock on something that exists.
    pub locks: Vec<Locked>,
    /// What it does with the rows.
    pub work: Work,
    /// How long it may take.
    pub duration: Duration,
}

/// How long something takes, in powers of what people can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Duration {
    /// Below a second.
    Instant,
    /// Below ten seconds.
    Seconds,
    /// Below ten minutes.
    Minutes,
    /// Longer.
    Hours,
    /// Nobody can know.
    Unknown,
}

/// Bytes that a modest server reads or writes in a second, assumed, not measured rather on the low side.
const READ: i64 = 200_000_000;
const WRITTEN: i64 = 40_000_000;

impl Duration {
    fn of(work: Work, bytes: i64) -> Self {
        let seconds = match work {
            Work::Catalog | Work::Rows => 0,
            Work::Scan => bytes / READ,
            Work::Found | Work::Rewrite => bytes / WRITTEN,
            Work::Unknown => return Self::Unknown,
        };
        match seconds {
            0 => Self::Instant,
            1..10 => Self::Seconds,
            10..600 => Self::Minutes,
            _ => Self::Hours,
        }
    }
}

/// Reads and writes nothing.
pub async fn plan(client: &Client, files: &Files) -> Result<Plan, Error> {
    let entries = status(client, files).await?;
    let pending = |file: &&File| entries.iter().any(|entry| entry.name == file.name && entry.state == State::Pending);
    let (mut planned, mut digested) = (Vec::new(), String::new());
    let running = running::seen(client).await?;
    for file in files.in_order().iter().filter(pending) {
        let backfills_first = backfill::lacking(client, files, &file.needs_backfills).await?;
        planned.push(PlannedFile { backfills_first, ..plan_file(client, file, &running).await? });
    }
    for entry in &entries {
        let file = files.in_order().iter().find(|file| file.name == entry.name);
        let checksum = file.map(File::checksum).unwrap_or_default();
        let _ = writeln!(digested, "{} {:?} {checksum}", entry.name, entry.state);
    }
    let drifted = |entry: &Entry| matches!(entry.state, State::Changed | State::Missing);
    let drift = entries.into_iter().filter(drifted).collect();
    let hash = hex::encode(digest(&SHA256, digested.as_bytes()));
    let locks: Vec<_> = planned.iter().flat_map(|file| &file.statements).flat_map(|it| it.locks.clone()).collect();
    Ok(Plan { hash, drift, files: planned, blockers: blockers::of(client, &locks).await? })
}

async fn plan_file(client: &Client, file: &File, running: &[Running]) -> Result<PlannedFile, Error> {
    let mut statements = Vec::new();
    for (line, sql, effect) in effects(file) {
        statements.push(plan_statement(client, line, sql, effect).await?);
    }
    let too_old = |it: &&Running| file.oldest_app.as_ref().is_some_and(|oldest| it.is_older_than(oldest));
    Ok(PlannedFile {
        name: file.name.clone(),
        checksum: file.checksum(),
        transaction: !file.no_transaction,
        oldest_app: file.oldest_app.as_ref().map(ToString::to_string),
        can_no_longer_run: running.iter().filter(too_old).cloned().collect(),
        backfills_first: Vec::new(),
        undo: if file.down.is_some() { Undo::Down } else { Undo::NewFileOrBackup },
        statements,
    })
}

/// Line, text and effect of each statement.
fn effects(file: &File) -> Vec<(usize, String, Effect)> {
    let statements = SourceFile::parse(&file.sql).tree().stmts().filter(|it| !matches!(it, Stmt::EmptyStmt(_)));
    let effect = |statement: Stmt| {
        let line = Place::after(&file.sql, statement.syntax().text_range().start().into()).line;
        (line, statement.syntax().to_string().trim_end_matches(';').to_owned(), locks::effect(&statement))
    };
    statements.map(effect).collect()
}

async fn plan_statement(client: &Client, line: usize, sql: String, effect: Effect) -> Result<PlannedStatement, Error> {
    let locks = catalog::resolve(client, &effect.locks).await?;
    // The largest relation decides.
    let bytes = locks.iter().map(|locked| locked.bytes).max().unwrap_or_default();
    let work = catalog::work(client, &effect, &locks).await?;
    Ok(PlannedStatement {
        line,
        sql,
        lock: locks.iter().map(|locked| locked.mode).max(),
        work,
        duration: Duration::of(work, bytes),
        locks,
    })
}
