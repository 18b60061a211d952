//! `cargo xtask dev`: finds or installs PostgreSQL's programs, builds, and becomes `platform dev`.

use crate::{postgres, tools};
use anyhow::{Context, Result, bail};
use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitCode},
};

/// Builds and runs; returns only when it could not.
pub(crate) fn run(release: bool, arguments: &[String]) -> Result<ExitCode> {
    postgres::ensure()?;
    println!("building the platform (the first time takes a few minutes)");
    let mut build = Command::new("cargo");
    build.args(["build", "--quiet", "--package", "platform"]).args(release.then_some("--release"));
    if !build.status().context("cargo cannot be started")?.success() {
        bail!("the build failed; its messages are above");
    }
    let profile = if release { "release" } else { "debug" };
    let binary = tools::target_folder()?.join(profile).join("platform");
    // From here where it can be: the first screen prints commands as this one was started.
    let here = std::env::current_dir()?;
    let binary = binary.strip_prefix(&here).map_or(binary.clone(), Path::to_path_buf);
    // Becomes the platform: Ctrl-C and the exit code are its own.
    let error = Command::new(&binary).arg("dev").args(arguments).exec();
    Err(error).with_context(|| format!("{} cannot be started", binary.display()))
}
