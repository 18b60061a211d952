//! `cargo xtask test`: one stage after the other, then a table of times and the closing line.

use crate::{chart, cluster, images, nextest, postgres, schemathesis, tidy, tools, workflows};
use anyhow::{Context, Result, bail};
use std::{
    env, fmt,
    io::{self, IsTerminal},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

/// What a stage did.
pub(crate) enum Outcome {
    /// All is well; how many tests that were.
    Passed(usize),
    /// All is well that tests could do here; how many they were, and what could not be done.
    Tested(usize, Vec<String>),
    /// It could not be done here, for this reason.
    Skipped(String),
    /// Something is wrong; how many tests passed and failed.
    Failed(usize, usize),
}

impl Outcome {
    /// Good as it is, but for what could not be done here.
    pub(crate) fn without(self, what: Option<String>) -> Self {
        match self {
            Self::Passed(tests) => Self::Tested(tests, what.into_iter().collect()),
            Self::Tested(tests, lacking) => Self::Tested(tests, lacking.into_iter().chain(what).collect()),
            bad => bad,
        }
    }
}

/// What somebody wants of `cargo xtask test`.
pub(crate) struct Wanted {
    /// Also what takes long.
    pub(crate) long: bool,
    /// Only these stages; all, when there is none.
    pub(crate) stages: Vec<String>,
    /// Only the tests with one of these in their names; all, when there is none.
    pub(crate) filters: Vec<String>,
}

struct Stage {
    name: &'static str,
    run: fn(&Wanted) -> Result<Outcome>,
}

const STAGES: &[Stage] = &[
    Stage { name: "fmt", run: |_| cargo(&["fmt", "--all", "--check"], "cargo fmt --all") },
    Stage { name: "clippy", run: |_| clippy() },
    Stage { name: "tidy", run: |_| Ok(passed_if(tidy::run()? == ExitCode::SUCCESS)) },
    Stage { name: "workflows", run: workflows::run },
    Stage { name: "deny", run: |_| deny() },
    Stage { name: ADVISORIES, run: |_| advisories() },
    Stage { name: "generated", run: |_| generated() },
    Stage { name: "chart", run: chart::run },
    Stage { name: TEST, run: nextest::run },
    Stage { name: "api", run: schemathesis::run },
    Stage { name: IMAGES, run: images::test },
    Stage { name: CLUSTER, run: cluster::test },
];
const ADVISORIES: &str = "advisories";
const TEST: &str = "test";
const IMAGES: &str = "images";
const CLUSTER: &str = "cluster";

/// What else `XTASK_REQUIRE` may name: most stages at once, and two things that stages need. Nothing starts without
/// PostgreSQL, and tests ask for its name themselves.
const ALL: &str = "all";
const POSTGRES: &str = "postgres";
/// What the images are built and tested with: the same as their stage.
const DOCKER: &str = "docker";

/// They take half an hour where nothing is built yet, and install Docker and a Kubernetes: only for who asks.
const ON_REQUEST: [&str; 2] = [IMAGES, CLUSTER];

impl Wanted {
    /// By name; with filters alone it is the stage that has most tests.
    fn has(&self, stage: &str) -> bool {
        match &*self.stages {
            [] => self.filters.is_empty() || stage == TEST,
            stages => stages.iter().any(|name| name == stage),
        }
    }

    /// Whether a stage that has to be asked for was.
    fn asks_for(&self, stage: &str, required: &str) -> bool {
        self.long || self.stages.iter().any(|name| name == stage) || required.split(',').any(|name| name == stage)
    }
}

/// The names of all stages.
pub(crate) fn names() -> Vec<&'static str> {
    STAGES.iter().map(|stage| stage.name).collect()
}

/// What all stages did.
#[derive(Default)]
struct Sum {
    passed: usize,
    failed: usize,
    /// Stages, or a part of one, each with its reason.
    not_checked: Vec<(&'static str, String)>,
    times: Vec<(&'static str, Duration)>,
}

/// Every stage, or the tests that match; the first failure ends the run.
pub(crate) fn run(wanted: &Wanted) -> Result<ExitCode> {
    let required = required(&env::var("XTASK_REQUIRE").unwrap_or_default())?;
    // First: without it, minutes would pass before somebody learns what to install.
    postgres::ensure()?;
    let mut sum = Sum::default();
    let _building = (wanted.has(CLUSTER) && wanted.asks_for(CLUSTER, &required)).then(cluster::build_beside);
    for stage in STAGES.iter().filter(|stage| wanted.has(stage.name)) {
        println!("\n== {} ==", stage.name);
        if ON_REQUEST.contains(&stage.name) && !wanted.asks_for(stage.name, &required) {
            let why = format!("`cargo xtask test --stage {}` runs it", stage.name);
            sum.add(stage.name, Ok(Outcome::Skipped(why)), &required);
            continue;
        }
        let start = Instant::now();
        let outcome = (stage.run)(wanted);
        sum.times.push((stage.name, start.elapsed()));
        sum.add(stage.name, outcome, &required);
        if sum.failed > 0 {
            break;
        }
    }
    println!("{sum}");
    Ok(if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Sum {
    fn add(&mut self, stage: &'static str, outcome: Result<Outcome>, required: &str) {
        match outcome {
            Ok(Outcome::Passed(tests)) => self.passed += tests,
            Ok(Outcome::Tested(tests, lacking)) => {
                self.passed += tests;
                for why in lacking {
                    if requires(required, stage) {
                        eprintln!("{why}, and XTASK_REQUIRE asks for it");
                        self.failed += 1;
                        continue;
                    }
                    println!("not checked: {why}");
                    self.not_checked.push((stage, why));
                }
            }
            Ok(Outcome::Failed(good, bad)) => {
                self.passed += good;
                self.failed += bad;
            }
            Ok(Outcome::Skipped(why)) if !requires(required, stage) => {
                println!("not checked: {why}");
                self.not_checked.push((stage, why));
            }
            Ok(Outcome::Skipped(why)) => {
                eprintln!("{why}, and XTASK_REQUIRE asks for it");
                self.failed += 1;
            }
            Err(error) => {
                eprintln!("{error:#}");
                self.failed += 1;
            }
        }
    }
}

/// What `XTASK_REQUIRE` says, by the names of stages; a name that means nothing would leave out what somebody counts on.
fn required(said: &str) -> Result<String> {
    let known: Vec<_> = names().into_iter().chain([ALL, POSTGRES, DOCKER]).collect();
    if let Some(unknown) = said.split(',').find(|name| !name.is_empty() && !known.contains(name)) {
        bail!("XTASK_REQUIRE names `{unknown}`, and knows {}", known.join(", "));
    }
    let stages: Vec<_> = said.split(',').map(|name| if name == DOCKER { IMAGES } else { name }).collect();
    Ok(stages.join(","))
}

/// Whether a stage may not be skipped: by its name in `XTASK_REQUIRE`, or by `all`. That means what needs no other
/// machine and no asking: the database of advisories is a repository elsewhere, and must be named; so must what is run
/// on request.
fn requires(required: &str, stage: &str) -> bool {
    let by_name_alone = stage == ADVISORIES || ON_REQUEST.contains(&stage);
    required.split(',').any(|name| name == stage || (name == ALL && !by_name_alone))
}

/// The table of times and the closing line.
impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        let all = self.times.iter().map(|(_, took)| *took).sum();
        for (name, took) in self.times.iter().copied().chain([("in all", all)]) {
            writeln!(f, "  {name:<10} {:>7.1} s", took.as_secs_f64())?;
        }
        let Self { passed, failed, not_checked, .. } = self;
        write!(f, "\n{passed} passed, {failed} failed, {} not checked", not_checked.len())?;
        // The first line of a reason says it; the stage showed the rest.
        let reason = |(stage, why): &(&str, String)| format!("{stage}: {}", why.lines().next().unwrap_or_default());
        match &*not_checked.iter().map(reason).collect::<Vec<_>>() {
            [] => Ok(()),
            reasons => write!(f, " ({})", reasons.join("; ")),
        }
    }
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
    let mut arguments = vec!["clippy", "--workspace", "--all-targets"];
    arguments.extend(quiet("--quiet"));
    arguments.extend(["--", "-D", "warnings"]);
    cargo(&arguments, "what each message says; an exception is `#[expect(…, reason = \"…\")]`")
}

/// Somebody who looks on sees what is being built; a log does not need it.
pub(crate) fn quiet(flag: &str) -> Option<&str> {
    (!io::stderr().is_terminal()).then_some(flag)
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
    Ok(passed_if(check.status()?.success()))
}

fn advisories() -> Result<Outcome> {
    let mut fetch = match tools::DENY.command() {
        Ok(command) => command,
        Err(error) => return Ok(Outcome::Skipped(format!("{error:#}"))),
    };
    fetch.args(["--log-level", "error", "fetch", "db"]).stdout(Stdio::null()).stderr(Stdio::null());
    if !fetch.status()?.success() {
        return Ok(Outcome::Skipped("their database cannot be fetched from here".to_owned()));
    }
    let mut check = tools::DENY.command()?;
    Ok(passed_if(check.args(["--log-level", "warn", "check", "advisories"]).status()?.success()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_counts_what_was_not_checked_with_its_reason() {
        let mut sum = Sum::default();
        sum.add(TEST, Ok(Outcome::Passed(12)), "all");
        sum.add(ADVISORIES, Ok(Outcome::Skipped("their database cannot be fetched from here".to_owned())), "all");
        let closing = "12 passed, 0 failed, 1 not checked (advisories: their database cannot be fetched from here)";
        assert_eq!(sum.to_string().lines().last(), Some(closing));
    }

    #[test]
    fn what_a_part_of_a_stage_could_not_do_is_counted_beside_what_it_did() {
        let mut sum = Sum::default();
        sum.add(TEST, Ok(Outcome::Tested(12, vec!["a full disk, which needs a right to mount".to_owned()])), "");
        let closing = "12 passed, 0 failed, 1 not checked (test: a full disk, which needs a right to mount)";
        assert_eq!(sum.to_string().lines().last(), Some(closing));
    }

    #[test]
    fn what_is_required_and_cannot_be_done_fails() {
        for (required, failed) in [("", 0), ("test", 0), ("all", 1), ("test,api", 1)] {
            let mut sum = Sum::default();
            sum.add("api", Ok(Outcome::Skipped("schemathesis cannot be installed".to_owned())), required);
            assert_eq!((sum.failed, sum.not_checked.len()), (failed, 1 - failed), "{required}");
        }
    }

    #[test]
    fn what_a_part_of_a_required_stage_cannot_do_fails() {
        for (required, failed) in [("", 0), ("test", 0), ("images", 1)] {
            let mut sum = Sum::default();
            let outcome = Outcome::Tested(12, vec![]).without(Some("pushes to a registry".to_owned()));
            sum.add(IMAGES, Ok(outcome), required);
            assert_eq!((sum.passed, sum.failed, sum.not_checked.len()), (12, failed, 1 - failed), "{required}");
        }
    }

    #[test]
    fn the_advisories_and_what_is_run_on_request_are_required_by_name_alone() {
        assert!(!requires("all", ADVISORIES) && requires("all,advisories", ADVISORIES));
        assert!(!requires("all", CLUSTER) && requires("all,cluster", CLUSTER));
    }
    #[test]
    fn docker_requires_the_images_and_asks_for_them() {
        let everything = required("postgres,docker,cluster").unwrap();
        let wanted = Wanted { long: false, stages: vec![], filters: vec![] };
        for stage in ON_REQUEST {
            assert!(requires(&everything, stage) && wanted.asks_for(stage, &everything), "{stage}");
        }
        assert!(!requires(&everything, ADVISORIES));
    }

    #[test]
    fn a_name_that_means_nothing_is_refused_with_those_that_do() {
        let refusal = required("all,imges").unwrap_err().to_string();
        assert!(refusal.starts_with("XTASK_REQUIRE names `imges`, and knows fmt, clippy, "), "{refusal}");
        assert!(refusal.ends_with(", images, cluster, all, postgres, docker"), "{refusal}");
        assert!(required("").is_ok() && required("all,").is_ok() && required("test, api").is_err());
    }
}
