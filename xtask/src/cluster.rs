//! `cargo xtask cluster`: the Kubernetes of the tests; the script beside its program does the work.

use anyhow::{Context, Result, bail};
use std::process::{Command, ExitCode, Stdio};

const SCRIPT: &str = "tests/cluster/node/cluster";

/// What can be asked of it.
#[derive(Clone, Debug, clap::Subcommand)]
pub(crate) enum Ask {
    /// Compiles it, once: about ten minutes; later calls return at once
    Build,
    /// Starts it and prints the line for your shell that sets KUBECONFIG and PATH
    Up,
    /// Stops it and removes every trace but its logs
    Down,
    /// Gives it images, as `cargo xtask images` or `docker save` wrote them
    Load {
        /// Files
        #[arg(required = true)]
        files: Vec<String>,
    },
    /// Its processes, nodes and pods
    Status,
    /// The line for your shell
    Env,
}

impl Ask {
    fn arguments(&self) -> Vec<&str> {
        match self {
            Self::Build => vec!["build"],
            Self::Up => vec!["up"],
            Self::Down => vec!["down"],
            Self::Load { files } => std::iter::once("load").chain(files.iter().map(String::as_str)).collect(),
            Self::Status => vec!["status"],
            Self::Env => vec!["env"],
        }
    }
}

/// Does it; the script talks.
pub(crate) fn run(ask: &Ask) -> Result<ExitCode> {
    let status = Command::new(SCRIPT).args(ask.arguments()).status().context(SCRIPT)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
