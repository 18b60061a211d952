//! A plan for people.

use super::{Duration, Plan, PlannedFile, PlannedStatement, Undo};
use crate::locks::Work;
use std::fmt::Write;

/// Of a statement so many lines are shown.
const LONGEST: usize = 20;

/// Files, statements, locks; then what is in the way, and the hash.
pub fn human(plan: &Plan) -> String {
    let mut text = String::new();
    for entry in &plan.drift {
        let _ = writeln!(text, "{entry}: `up` would refuse; see `platform migrate repair --help`");
    }
    if plan.files.is_empty() {
        text.push_str("nothing to do: every migration is applied\n");
    }
    for file in &plan.files {
        write_file(&mut text, file);
    }
    for blocker in &plan.blockers {
        let _ = writeln!(text, "in the way: {blocker}");
    }
    let _ = writeln!(text, "plan {}", plan.hash);
    text
}

fn write_file(text: &mut String, file: &PlannedFile) {
    let how = if file.transaction { "one transaction" } else { "statement by statement" };
    let _ = writeln!(text, "✗ {} ({how})", file.name);
    for statement in &file.statements {
        write_statement(text, statement);
    }
    if let Some(oldest) = &file.oldest_app {
        let _ = writeln!(text, "    after it: images of {oldest} or newer");
    }
    for running in &file.can_no_longer_run {
        let _ = writeln!(text, "    runs now and could not any more: {running}");
    }
    for backfill in &file.backfills_first {
        let _ = writeln!(text, "    must be done first: platform migrate backfill start {backfill}");
    }
    let undo = match file.undo {
        Undo::Down => "platform migrate down",
        Undo::NewFileOrBackup => "a new file, or a restored backup",
    };
    let _ = writeln!(text, "    undone by: {undo}");
}

fn write_statement(text: &mut String, statement: &PlannedStatement) {
    let mut lines = statement.sql.lines();
    let _ = writeln!(text, "    {:>4}  {}", statement.line, lines.next().unwrap_or_default());
    for line in lines.by_ref().take(LONGEST - 1) {
        let _ = writeln!(text, "          {line}");
    }
    let rest = lines.count();
    if rest > 0 {
        let _ = writeln!(text, "          … {rest} more lines, which --json has");
    }
    let work = match statement.work {
        Work::Catalog => "changes the catalog only",
        Work::Rows => "reads or writes the rows that it names",
        Work::Found => "reads or writes the rows that it finds, at most all",
        Work::Scan => "reads every row",
        Work::Rewrite => "writes every row anew",
        Work::Unknown => "does more than can be read from it",
    };
    let duration = match statement.duration {
        Duration::Instant => "instant",
        Duration::Seconds => "seconds",
        Duration::Minutes => "minutes",
        Duration::Hours => "hours",
        Duration::Unknown => "unknown",
    };
    let lock = statement.lock.map_or_else(
        || "no lock that anybody waits for".to_owned(),
        |mode| format!("{mode}: keeps out {}", mode.keeps_out()),
    );
    let _ = writeln!(text, "        → {lock}; {work}; {duration}");
    for locked in &statement.locks {
        let rows = locked.rows.map_or_else(|| "rows unknown".to_owned(), |rows| format!("~{rows} rows"));
        let _ = writeln!(text, "            {} {}, {rows}, {} kB", locked.relation, locked.mode, locked.bytes / 1024);
    }
}
