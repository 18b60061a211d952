//! The stage `api`: a platform of its own, and generated requests for every operation of its document.

use crate::{
    stages::{Outcome, passed_if},
    tools,
};
use anyhow::{Context, Result, bail};
use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

/// A running `platform dev`, stopped when dropped.
struct Platform {
    child: Child,
    api: String,
}

impl Drop for Platform {
    fn drop(&mut self) {
        // SIGINT: it stops its PostgreSQL too.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

/// Runs schemathesis with all its checks: 10 examples an operation, 50 in the long run.
pub(crate) fn run(long: bool) -> Result<Outcome> {
    let mut schemathesis = match tools::SCHEMATHESIS.command() {
        Ok(command) => command,
        Err(error) => return Ok(Outcome::Skipped(format!("{error:#}"))),
    };
    let folder = env::temp_dir().join(format!("xtask-platform-{}", std::process::id()));
    let binary = build()?;
    let platform = start(&binary, &folder)?;
    let token =
        environment(&binary, &folder)?.remove("TEST_TOKEN").context("`platform dev env` printed no TEST_TOKEN")?;
    schemathesis
        .args(["--config-file", "tests/schemathesis.toml", "run"])
        .arg(format!("{}/openapi.json", platform.api));
    schemathesis.args(["--header", &format!("Authorization: Bearer {token}"), "--seed", "1"]);
    schemathesis.args(["--max-examples", if long { "50" } else { "10" }, "--no-color"]);
    let good = schemathesis.status()?.success();
    drop(platform);
    let _ = std::fs::remove_dir_all(&folder);
    Ok(passed_if(good))
}

fn build() -> Result<std::path::PathBuf> {
    if !Command::new("cargo").args(["build", "--quiet", "--package", "platform"]).status()?.success() {
        bail!("the platform does not build");
    }
    Ok(tools::target_folder()?.join("debug/platform"))
}

/// Starts it on any free port and waits until it says where it is.
fn start(binary: &Path, folder: &Path) -> Result<Platform> {
    let mut dev = Command::new(binary);
    dev.args(["dev", "--port", "0", "--data-dir"]).arg(folder);
    // Generated requests come faster than any person's.
    dev.envs([("EAP_RATE_LIMIT_ADDRESS", "0"), ("EAP_RATE_LIMIT_PERSON", "0")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = dev.spawn().context("platform dev cannot be started")?;
    let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
    let api = lines.by_ref().map_while(Result::ok).find_map(|line| line.strip_prefix("api=").map(str::to_owned));
    // What it prints from now on is drained, or it would block.
    std::thread::spawn(move || lines.for_each(drop));
    match api {
        Some(api) => Ok(Platform { child, api }),
        None => bail!("platform dev ended before it was ready"),
    }
}

/// What `platform dev env` prints.
fn environment(binary: &Path, folder: &Path) -> Result<BTreeMap<String, String>> {
    let output = Command::new(binary).args(["dev", "env", "--data-dir"]).arg(folder).output()?;
    let text = String::from_utf8(output.stdout)?;
    let pairs = text.lines().filter_map(|line| line.trim_start_matches("export ").split_once('='));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())).collect())
}
