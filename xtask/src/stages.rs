//! `cargo xtask test`: one stage after the other, then a table of times and the closing line.

use crate::{postgres, schemathesis, tidy, tools};
use anyhow::{Context, Result, bail};
use private_postgres::{Cluster, Purpose};
use std::{
    env,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

/// What a stage did.
pub(crate) enum Outcome {
    /// All is well; how many tests that were.
    Passed(usize),
    /// It could not be done here, for this reason.
    Skipped(String),
    /// Something is wrong; how many tests passed and failed.
    Failed(usize, usize),
}

struct Stage {
    name: &'static str,
    run: fn(bool) -> Result<Outcome>,
}

const STAGES: [Stage; 7] = [
    Stage { name: "fmt", run: |_| cargo(&["fmt", "--all", "--check"], "cargo fmt --all") },
    Stage { name: "clippy", run: |_| clippy() },
    Stage { name: "tidy", run: |_| Ok(passed_if(tidy::run()? == ExitCode::SUCCESS)) },
    Stage { name: "deny", run: |_| deny() },
    Stage { name: "generated", run: |_| generated() },
    Stage { name: "test", run: test },
    Stage { name: "api", run: schemathesis::run },
];

/// Every stage; the first failure ends the run.
pub(crate) fn run(long: bool) -> ExitCode {
    let required = env::var("XTASK_REQUIRE").unwrap_or_default();
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    let mut times = Vec::new();
    for stage in STAGES {
        println!("\n== {} ==", stage.name);
        let start = Instant::now();
        let outcome = (stage.run)(long);
        times.push((stage.name, start.elapsed()));
        match outcome {
            Ok(Outcome::Passed(tests)) => passed += tests,
            Ok(Outcome::Failed(good, bad)) => {
                (passed, failed) = (passed + good, failed + bad);
                break;
            }
            Ok(Outcome::Skipped(why)) if !requires(&required, stage.name) => {
                println!("skipped: {why}");
                skipped += 1;
            }
            Ok(Outcome::Skipped(why)) => {
                eprintln!("{why}, and XTASK_REQUIRE asks for it");
                failed += 1;
                break;
            }
            Err(error) => {
                eprintln!("{error:#}");
                failed += 1;
                break;
            }
        }
    }
    report(&times);
    println!("\n{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether a stage may not be skipped: `XTASK_REQUIRE=all`, or its name among others.
fn requires(required: &str, stage: &str) -> bool {
    required.split(',').any(|name| name == "all" || name == stage)
}

fn report(times: &[(&str, Duration)]) {
    println!();
    for (name, took) in times {
        println!("  {name:<10} {:>7.1} s", took.as_secs_f64());
    }
    let total: Duration = times.iter().map(|(_, took)| took).sum();
    println!("  {:<10} {:>7.1} s", "in all", total.as_secs_f64());
}

pub(crate) const fn passed_if(good: bool) -> Outcome {
    if good { Outcome::Passed(1) } else { Outcome::Failed(0, 1) }
}

/// Runs cargo; a failure is told with its cure.
fn cargo(arguments: &[&str], cure: &str) -> Result<Outcome> {
    let good = Command::new("cargo").args(arguments).status().context("cargo cannot be started")?.success();
    if !good {
        println!("\ncure: {cure}");
    }
    Ok(passed_if(good))
}

fn clippy() -> Result<Outcome> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    cargo(&arguments, "what each message says; an exception is `#[expect(…, reason = \"…\")]`")
}

fn generated() -> Result<Outcome> {
    let arguments = ["run", "--quiet", "--package", "platform", "--", "generate", "--check"];
    cargo(&arguments, "cargo run -p platform -- generate")
}

fn deny() -> Result<Outcome> {
    let mut check = match tools::DENY.command() {
        Ok(command) => command,
        Err(error) => return Ok(Outcome::Skipped(format!("{error:#}"))),
    };
    check.args(["--log-level", "warn", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"]);
    let good = check.status()?.success();
    // The database of advisories is a repository elsewhere.
    let mut advisories = tools::DENY.command()?;
    let fetched = advisories
        .args(["--log-level", "error", "fetch", "db"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if !fetched.success() {
        println!("advisories: not checked, their database cannot be fetched from here");
        return Ok(passed_if(good));
    }
    let mut advisories = tools::DENY.command()?;
    Ok(passed_if(good && advisories.args(["--log-level", "warn", "check", "advisories"]).status()?.success()))
}

/// One throw-away PostgreSQL for all test processes.
fn test(long: bool) -> Result<Outcome> {
    let programs = postgres::ensure()?;
    let folder = env::temp_dir().join(format!("xtask-postgres-{}", std::process::id()));
    let cluster = Cluster::start(&programs, &folder, Purpose::Test).context("a PostgreSQL for the tests")?;
    let mut nextest = tools::NEXTEST.command()?;
    nextest.args(["nextest", "run", "--workspace", "--no-fail-fast", "--color=never", "--status-level=slow"]);
    nextest
        .args(["--final-status-level=fail", "--cargo-quiet"])
        .env("EAP_TEST_POSTGRES_URL", cluster.url("postgres", "postgres"));
    nextest.envs(long.then_some(("EAP_TEST_LONG", "1")));
    let output = nextest.stderr(Stdio::piped()).spawn()?.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    print!("{text}");
    let count = |word: &str| count(&text, word);
    match (output.status.success(), count("passed")) {
        (true, passed) if passed > 0 => Ok(Outcome::Passed(passed)),
        (true, _) => bail!("no test ran"),
        (false, passed) => Ok(Outcome::Failed(passed, count("failed").max(1))),
    }
}

/// The number before a word in nextest's summary, as in `12 tests run: 11 passed, 1 failed`.
fn count(text: &str, word: &str) -> usize {
    let summary = text.lines().rfind(|line| line.contains(" run: ")).unwrap_or_default();
    let words: Vec<_> = summary.split([' ', ',']).filter(|part| !part.is_empty()).collect();
    let place = words.iter().position(|part| *part == word);
    place.and_then(|place| words.get(place.checked_sub(1)?)).and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_read() {
        let text = "x\n     Summary [   1.2s] 12 tests run: 11 passed (1 slow), 1 failed, 0 skipped\n";
        assert_eq!((count(text, "passed"), count(text, "failed"), count(text, "flaky")), (11, 1, 0));
    }

    #[test]
    fn all_requires_every_stage() {
        assert!(requires("all", "deny") && requires("test,deny", "deny"));
        assert!(!requires("", "deny") && !requires("test", "deny"));
    }
}
