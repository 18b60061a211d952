//! `cargo xtask dev`: finds or installs PostgreSQL's programs, builds, and becomes `platform dev`.

use crate::tools;
use anyhow::{Context, Result, bail};
use private_postgres::Programs;
use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitCode},
};

/// Builds and runs; returns only when it could not.
pub(crate) fn run(release: bool, arguments: &[String]) -> Result<ExitCode> {
    ensure_postgres()?;
    println!("building the platform (the first time takes a few minutes)");
    let mut build = Command::new("cargo");
    build.args(["build", "--quiet", "--package", "platform"]).args(release.then_some("--release"));
    if !build.status().context("cargo cannot be started")?.success() {
        bail!("the build failed; its messages are above");
    }
    let profile = if release { "release" } else { "debug" };
    let binary = tools::target_folder()?.join(profile).join("platform");
    // Becomes the platform: Ctrl-C and the exit code are its own.
    let error = Command::new(&binary).arg("dev").args(arguments).exec();
    Err(error).with_context(|| format!("{} cannot be started", binary.display()))
}

/// PostgreSQL's programs, installed through the system's package manager when they are absent and we may.
pub(crate) fn ensure_postgres() -> Result<Programs> {
    let Err(absent) = Programs::find() else { return Ok(Programs::find()?) };
    let Some(manager) = Manager::of_this_system() else {
        bail!(
            "{absent}\n\nInstall PostgreSQL {} or newer, or name the folder of its programs in PG_BIN.",
            private_postgres::OLDEST
        )
    };
    let Some(prefix) = manager.may_install() else {
        bail!("{absent}\n\nInstall it, then run this command again:\n\n    {}", manager.line())
    };
    println!("{absent}: installing it with\n    {}", manager.line());
    manager.install(&prefix)?;
    Programs::find().with_context(|| format!("PostgreSQL was installed, but it is not usable: {absent}"))
}

/// A package manager that we know how to ask.
#[derive(Clone, Copy)]
enum Manager {
    Apt,
    Dnf,
    Brew,
}

impl Manager {
    fn of_this_system() -> Option<Self> {
        let known = [("apt-get", Self::Apt), ("dnf", Self::Dnf), ("brew", Self::Brew)];
        known.into_iter().find(|(program, _)| tools::on_path(program)).map(|(_, manager)| manager)
    }

    fn line(self) -> &'static str {
        match self {
            Self::Apt => "sudo apt-get install --yes --no-install-recommends postgresql",
            Self::Dnf => "sudo dnf install --assumeyes postgresql-server",
            Self::Brew => "brew install postgresql@17",
        }
    }

    /// What to put before the command; none: we may not, without asking somebody for a password.
    fn may_install(self) -> Option<Vec<&'static str>> {
        let succeeds = |program: &str, arguments: &[&str]| {
            Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
        };
        let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
        match self {
            Self::Brew => Some(vec![]),
            _ if is_root => Some(vec![]),
            _ => succeeds("sudo", &["-n", "true"]).then(|| vec!["sudo", "-n"]),
        }
    }

    fn install(self, prefix: &[&str]) -> Result<()> {
        let line = self.line().trim_start_matches("sudo ");
        match self {
            Self::Apt => {
                sh(prefix, "apt-get update -qq")?;
                sh(prefix, "apt-get install --yes -qq --no-install-recommends postgresql-common")?;
                // Only the programs are wanted: Debian would otherwise make and start a server of its own.
                if Path::new("/etc/postgresql-common").exists() {
                    sh(
                        prefix,
                        "sed -i 's/^#*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf",
                    )?;
                }
                sh(prefix, &format!("DEBIAN_FRONTEND=noninteractive {line}"))
            }
            Self::Dnf | Self::Brew => sh(prefix, line),
        }
    }
}

fn sh(prefix: &[&str], line: &str) -> Result<()> {
    let words: Vec<_> = prefix.iter().copied().chain(["sh", "-c", line]).collect();
    let status = Command::new(words[0]).args(&words[1..]).status();
    if !status.with_context(|| format!("`{line}` cannot be started"))?.success() {
        bail!("`{line}` failed; its messages are above. Install PostgreSQL yourself, then run this command again.");
    }
    Ok(())
}
