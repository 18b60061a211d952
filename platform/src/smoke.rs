//! `platform smoke`: the runbook's Step 6 against a running installation, as a person and a program would use it.
#![allow(clippy::print_stdout, reason = "a command talks on standard output")]

mod client;
mod environment;
mod report;
mod steps;

use anyhow::Result;
use client::Installation;
use report::{Outcome, Report};
use std::{
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};
use steps::{NAMES, Run};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::timeout,
};

/// A step that takes longer has failed.
const STEP: Duration = Duration::from_secs(20);
/// As a shell reports Ctrl-C, and SIGTERM, by which CI cancels.
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;

/// Which installation: by its URL, or by its name in `runbook.toml`.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// As in https://api.example.com; needs EAP_SMOKE_KEY
    #[arg(long)]
    url: Option<String>,
    /// A name in runbook.toml, as in production; `development` is the running `platform dev`
    #[arg(long)]
    env: Option<String>,
}

/// Runs all eight, erases what they made, and says how it went.
pub(crate) async fn run(which: &Which, data_dir: &Path, json: bool) -> Result<ExitCode> {
    let place = environment::find(which.url.as_deref(), which.env.as_deref(), data_dir)?;
    let installation = Installation::new(&place)?;
    let mut report = Report::new(&place.url, json);
    let mut run = Run::new(installation);
    let mut terminated = signal(SignalKind::terminate())?;
    let ended_by = tokio::select! {
        () = steps(&mut run, &mut report) => None,
        _ = tokio::signal::ctrl_c() => Some(INTERRUPTED),
        _ = terminated.recv() => Some(TERMINATED),
    };
    report.erased(run.erase().await);
    report.finish();
    Ok(match (ended_by, report.is_good()) {
        (Some(code), _) => ExitCode::from(code),
        (None, true) => ExitCode::SUCCESS,
        (None, false) => ExitCode::FAILURE,
    })
}

async fn steps(run: &mut Run, report: &mut Report) {
    for (number, name) in NAMES.iter().enumerate() {
        let start = Instant::now();
        let outcome = match run.needs(number) {
            Some(missing) => Outcome::Skipped(format!("needs {missing}")),
            None => match timeout(STEP, run.step(number)).await {
                Ok(Ok(())) => Outcome::Passed,
                Ok(Err(error)) => Outcome::Failed(format!("{error:#}")),
                Err(_) => Outcome::Failed(format!("took longer than {} s", STEP.as_secs())),
            },
        };
        report.step(name, start.elapsed(), outcome);
    }
}
