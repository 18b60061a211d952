//! `cargo xtask bench`: release builds, the prebuilt peer, and the bench between them.

use crate::tools;
use anyhow::{Result, bail};
use std::process::{Command, ExitCode};

/// Builds, and runs the bench.
pub(crate) fn run(what: &str, against: Option<&str>) -> Result<ExitCode> {
    println!("building in release mode (the first time takes a few minutes)");
    let build = ["build", "--release", "--quiet", "--package", "platform", "--package", "bench"];
    if !Command::new("cargo").args(build).status()?.success() {
        bail!("the build failed; its messages are above");
    }
    let folder = tools::target_folder()?.join("release");
    let mut bench = Command::new(folder.join("bench"));
    bench.args([what, "--platform"]).arg(folder.join("platform"));
    if let Some(peer) = against {
        bench.args(["--against", peer, "--peer"]).arg(tools::POCKETBASE.path()?);
    }
    let done = bench.status()?.success();
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
