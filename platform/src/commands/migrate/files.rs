//! What needs only the files: `new` and `lint`.

use crate::cli::migrate::Format;
use anyhow::Result;
use jiff::{Timestamp, tz::TimeZone};
use migrate::{Files, lint};
use semver::Version;
use std::{path::Path, process::ExitCode};
use types::Clock;

pub(super) fn new(folder: &Path, name: &str, down: bool) -> Result<ExitCode> {
    let today = Timestamp::from_millisecond(Clock::system().now().as_millis())?.to_zoned(TimeZone::UTC).date();
    for path in migrate::new(folder, name, today, down)? {
        println!("{}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn lint(folder: &Path, release: Option<Version>, format: Format) -> Result<ExitCode> {
    let release = release.map_or_else(|| env!("CARGO_PKG_VERSION").parse(), Ok)?;
    let files = Files::load(folder)?;
    let findings = lint::lint(&files, &release);
    match format {
        Format::Human if findings.is_empty() => {
            println!("{} files, {} rules: nothing found", files.in_order().len(), lint::rules().len());
        }
        Format::Human => print!("{}", lint::human(&findings)),
        Format::Json => println!("{}", serde_json::to_string(&findings)?),
        Format::Sarif => println!("{:#}", lint::sarif(&findings, &folder.display().to_string())),
    }
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
