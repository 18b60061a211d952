//! `platform migrate backfill`

use super::connected;
use crate::cli::migrate::{BackfillCommand, Start};
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use migrate::{
    Files,
    backfill::{self, BackfillState, Limits, Outcome, Progress},
};
use std::{
    io::{self, IsTerminal},
    process::ExitCode,
    time::{Duration, Instant},
};

pub(super) async fn run(command: BackfillCommand) -> Result<ExitCode> {
    match command {
        BackfillCommand::Start(start) => go(start, false).await,
        BackfillCommand::Resume(start) => go(start, true).await,
        BackfillCommand::Status { json } => status(json).await,
        BackfillCommand::Pause { name } => pause(&name).await,
    }
}

async fn go(start: Start, resume: bool) -> Result<ExitCode> {
    let (client, mut files) = connected().await?;
    let Start { name, max_lag, max_p95, metrics, dir } = start;
    if let Some(dir) = dir {
        files = Files::load(&dir)?;
    }
    let (lag, p95) = (Duration::from_secs(max_lag.into()), Duration::from_millis(max_p95.into()));
    let limits = Limits { lag, p95, metrics };
    let mut screen = Screen::new()?;
    let outcome = backfill::run(&client, &files, &name, resume, &limits, |progress| screen.show(progress)).await;
    screen.end();
    match outcome? {
        Outcome::Done => println!("✓ {name} is done"),
        Outcome::WasDone => println!("nothing to do: {name} was done before"),
        Outcome::Paused(by) => {
            println!("! {name} was paused by {by}: `platform migrate backfill resume {name}` goes on");
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn status(json: bool) -> Result<ExitCode> {
    let (client, files) = connected().await?;
    let all = backfill::progress(&client, &files).await?;
    if json {
        println!("{}", serde_json::to_string(&all)?);
    } else if all.is_empty() {
        println!("there are no backfills");
    } else {
        for progress in all {
            println!("{progress}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn pause(name: &str) -> Result<ExitCode> {
    backfill::pause(&connected().await?.0, name).await?;
    println!("! {name} is paused: its runner ends after its batch; `platform migrate backfill resume {name}` goes on");
    Ok(ExitCode::SUCCESS)
}

/// Without a terminal a line comes so often, and whenever it begins or ends to be slowed.
const LINE: Duration = Duration::from_secs(10);

/// A bar on a terminal, lines elsewhere.
struct Screen {
    bar: Option<ProgressBar>,
    line: Option<(Instant, bool)>,
}

impl Screen {
    fn new() -> Result<Self> {
        let bar = io::stderr().is_terminal().then(|| ProgressBar::new(0));
        if let Some(bar) = &bar {
            bar.set_style(ProgressStyle::with_template("{bar:30} {percent:>3} % of {human_len} rows, {msg}")?);
        }
        Ok(Self { bar, line: None })
    }

    fn show(&mut self, progress: &Progress) {
        let Some(record) = &progress.record else { return };
        if let Some(bar) = &self.bar {
            let count = |rows: i64| u64::try_from(rows).unwrap_or_default();
            bar.set_length(count(record.total.max(record.walked)));
            bar.set_position(count(record.walked));
            let slowed = record.slowed_by.as_ref().map(|why| format!(", slowed: {why}")).unwrap_or_default();
            bar.set_message(format!("{:.0} rows/s{slowed}", record.rows_per_second));
            return;
        }
        let slowed = record.slowed_by.is_some();
        let due = self.line.is_none_or(|(at, before)| at.elapsed() >= LINE || before != slowed);
        if due && progress.state != BackfillState::Done {
            println!("{progress}");
            self.line = Some((Instant::now(), slowed));
        }
    }

    fn end(&self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}
