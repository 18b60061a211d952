//! The house rules that no other tool holds.

mod crates;
mod files;

use anyhow::{Context, Result};
use std::{
    fmt,
    process::{Command, ExitCode},
};

/// A place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    file: String,
    line: usize,
    rule: &'static str,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.rule)
    }
}

/// Checks every file that git knows or would know.
pub(crate) fn run() -> Result<ExitCode> {
    let files = files()?;
    let mut breaches = crates::breaches()?;
    for file in &files {
        // Binary files have no lines.
        if let Ok(text) = std::fs::read_to_string(file) {
            breaches.extend(files::breaches(file, &text));
        }
    }
    for breach in &breaches {
        println!("{breach}");
    }
    println!("{} files, {} breaches of the house rules", files.len(), breaches.len());
    Ok(if breaches.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn files() -> Result<Vec<String>> {
    let listed = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(listed).output().context("git cannot be started")?;
    let known = String::from_utf8(output.stdout)?;
    Ok(known.lines().filter(|file| std::path::Path::new(file).is_file()).map(str::to_owned).collect())
}
