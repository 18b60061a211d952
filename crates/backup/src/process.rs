//! Running PostgreSQL's programs, and what they say while they work.

use crate::BackupError;
use std::process::Stdio;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

/// So many of the last lines are told when it fails.
const TOLD: usize = 5;

/// Runs it to its end; `line` gets each line of its standard error. Killed when dropped.
pub(crate) async fn run(
    program: &'static str,
    command: &mut Command,
    mut line: impl FnMut(&str),
) -> Result<(), BackupError> {
    let failed = |error| BackupError::NoProgram(program, error);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).spawn();
    let mut child = child.map_err(failed)?;
    let mut last: Vec<String> = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        let mut lines = BufReader::new(stderr).lines();
        while let Some(text) = lines.next_line().await.map_err(failed)? {
            line(&text);
            last.push(text);
            if last.len() > 50 {
                last.remove(0);
            }
        }
    }
    let status = child.wait().await.map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    Err(BackupError::Program { program, said: told(&last, &status.to_string()) })
}

/// What it called an error, without what it told of its progress; the last lines where it called nothing so.
fn told(last: &[String], status: &str) -> String {
    let matters = |line: &&String| ["error:", "FATAL", "detail:", "hint:"].iter().any(|word| line.contains(word));
    let mut lines: Vec<_> = last.iter().filter(matters).map(String::as_str).collect();
    if lines.is_empty() {
        lines = last.iter().rev().take(TOLD).rev().map(String::as_str).collect();
    }
    if lines.is_empty() { status.to_owned() } else { lines[..lines.len().min(TOLD)].join("; ") }
}
