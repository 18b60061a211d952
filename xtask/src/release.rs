//! `cargo xtask release-decision`: the first step of a workflow that deploys. Reads what GitHub says and what the
//! cluster says, and tells the jobs after it whether there is anything to do.

mod decision;
mod deployed;
mod trigger;

use anyhow::{Context, Result};
use decision::{Decision, Source, decide};
use deployed::Deployed;
use std::{
    env,
    fs::{self, File},
    io::Write as _,
    path::Path,
    process::{Command, ExitCode},
};
use trigger::Trigger;

/// Where a release may go by a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Environment {
    /// From `develop`, at any time.
    Staging,
    /// From `main` and tags, in the window.
    Production,
}

/// Decides, prints it, and writes it where GitHub's next jobs read it. Nothing to do is a success.
pub(crate) fn run(environment: Environment, deployments: &Path) -> Result<ExitCode> {
    let name = env::var("GITHUB_EVENT_NAME").context("GITHUB_EVENT_NAME is not set: GitHub's runners set it")?;
    let path = env::var("GITHUB_EVENT_PATH").context("GITHUB_EVENT_PATH is not set: GitHub's runners set it")?;
    let payload = fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
    let trigger = Trigger::parse(&name, &payload)?;
    let listed =
        fs::read_to_string(deployments).with_context(|| format!("{} cannot be read", deployments.display()))?;
    #[expect(clippy::disallowed_methods, reason = "the edge: what is decided gets it as a value")]
    let now = jiff::Timestamp::now();
    let decision = decide(environment, &trigger, &source()?, &Deployed::parse(&listed)?, now)?;
    println!("{}", decision.reason());
    append("GITHUB_OUTPUT", &decision.outputs())?;
    append("GITHUB_STEP_SUMMARY", &format!("{}\n", decision.reason()))?;
    Ok(ExitCode::SUCCESS)
}

/// What is checked out: its commit and the version of its workspace.
fn source() -> Result<Source> {
    let head = Command::new("git").args(["rev-parse", "HEAD"]).output().context("git cannot be started")?;
    let commit = String::from_utf8(head.stdout)?.trim().to_owned();
    let version = semver::Version::parse(env!("CARGO_PKG_VERSION"))?;
    Ok(Source { commit, version })
}

/// To the file that a variable names; outside of GitHub there is none.
fn append(variable: &str, text: &str) -> Result<()> {
    let Some(path) = env::var_os(variable) else { return Ok(()) };
    let mut file = File::options().append(true).create(true).open(path)?;
    file.write_all(text.as_bytes()).with_context(|| format!("the file that {variable} names cannot be written"))
}

impl Decision {
    fn outputs(&self) -> String {
        match self {
            Self::Deploy { tag, version, reason } => {
                format!("deploy=true\ntag={tag}\nversion={version}\nreason={reason}\n")
            }
            Self::Nothing { reason } => format!("deploy=false\nreason={reason}\n"),
        }
    }
}
