//! `cargo xtask cluster`: the Kubernetes of the tests; the script beside its program does the work. And the stage
//! `cluster`: images of this version and the next one on it, and the tests that need it.

mod next;

use crate::{
    images::{self, engine::Engine},
    kubernetes_tools::{HELM_3, HELM_4},
    nextest,
    stages::{Outcome, Wanted},
    tools::{on_path, quietly, target_folder},
};
use anyhow::{Context, Result, bail};
use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
};

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

/// Compiles it beside the first stages, for it takes long and they do not need every core all the time. Ended with this
/// process; whoever comes later goes on where it was.
pub(crate) fn build_beside() -> Option<Child> {
    if missing().ok()?.is_some() {
        return None;
    }
    let log = File::create(log_of_building().ok()?).ok()?;
    let mut build = Command::new("setpriv");
    build.args(["--pdeathsig", "KILL", "nice", "-n", "10", SCRIPT, "build"]);
    build.stdin(Stdio::null()).stdout(log.try_clone().ok()?).stderr(log).spawn().ok()
}

fn log_of_building() -> Result<PathBuf> {
    let folder = target_folder()?;
    std::fs::create_dir_all(&folder)?;
    Ok(folder.join("cluster-build.log"))
}

/// What this machine lacks, in a line; none: nothing.
fn missing() -> Result<Option<String>> {
    let id = Command::new("id").arg("-u").output()?;
    let lacks = [
        (id.stdout.trim_ascii() == b"0", "root"),
        (on_path("apt-get"), "Debian's apt-get"),
        (on_path("go"), "Go"),
        (on_path("cc"), "a C compiler"),
        (on_path("npm"), "npm"),
    ];
    let lacks: Vec<_> = lacks.iter().filter(|(is_there, _)| !is_there).map(|(_, what)| *what).collect();
    let why = || format!("needs {}; `cargo xtask test --stage cluster` runs it where they are", lacks.join(", "));
    Ok((!lacks.is_empty()).then(why))
}

/// Builds what is not built yet, starts the cluster, and runs its tests one after the other.
pub(crate) fn test(wanted: &Wanted) -> Result<Outcome> {
    if let Some(why) = missing()? {
        return Ok(Outcome::Skipped(why));
    }
    println!("building Kubernetes, or waiting until it is built: {}", log_of_building()?.display());
    quietly(Command::new(SCRIPT).arg("build")).context("cluster build")?;
    let engine = match Engine::obtain() {
        Ok(engine) => engine,
        Err(error) => return Ok(Outcome::Skipped(format!("{error:#}"))),
    };
    let this = images::Wanted::of_tests(PathBuf::from("."));
    // Only a private engine keeps that stage under a name.
    let base = engine.is_private().then(|| images::dependencies(&this.profile));
    let source = next::source()?;
    let next = images::Wanted { base, ..images::Wanted::of_tests(source.clone()) };
    let (this, next) = (built(&engine, &this)?, built(&engine, &next)?);
    drop(engine);
    let _up = Up::ensure()?;
    for built in [&this, &next] {
        quietly(Command::new(SCRIPT).arg("load").arg(&built.file)).context("cluster load")?;
    }
    let mut tests = nextest::command(wanted)?;
    tests.args(["--package=cluster-tests", "--test-threads=1"]);
    tests.env("EAP_TEST_VERSION", &this.version).env("EAP_TEST_PLATFORM", &this.platform);
    tests.env("EAP_TEST_NEXT_VERSION", &next.version).env("EAP_TEST_NEXT_PLATFORM", &next.platform);
    quietly(Command::new(env!("CARGO")).args(["build", "--package", "runbook"])).context("cargo build")?;
    tests.env("EAP_TEST_RUNBOOK", target_folder()?.join("debug/runbook")).env("EAP_TEST_NEXT_SOURCE", source);
    tests.env("EAP_TEST_HELM3", HELM_3.path()?).env("EAP_TEST_HELM4", HELM_4.path()?);
    tests.envs(environment()?);
    nextest::outcome(&mut tests)
}

/// Images, and the binary that they hold.
struct Built {
    version: String,
    file: PathBuf,
    platform: PathBuf,
}

fn built(engine: &Engine, wanted: &images::Wanted) -> Result<Built> {
    let version = images::version_of(&wanted.source)?;
    let file = images::build(engine, wanted)?;
    let platform = file.with_extension("platform");
    let mut create = engine.docker();
    let output = create.args(["create", &format!("api-platform/auth-service:{version}")]).output()?;
    let container = String::from_utf8(output.stdout)?.trim().to_owned();
    if container.is_empty() {
        bail!("docker create: {}", String::from_utf8_lossy(&output.stderr));
    }
    quietly(engine.docker().args(["cp", &format!("{container}:/platform")]).arg(&platform)).context("docker cp")?;
    quietly(engine.docker().args(["rm", &container])).context("docker rm")?;
    Ok(Built { version, file, platform })
}

/// A running cluster; one that was not running before is stopped.
struct Up {
    is_ours: bool,
}

impl Up {
    fn ensure() -> Result<Self> {
        let is_ours =
            !Command::new(SCRIPT).arg("status").stdout(Stdio::null()).stderr(Stdio::null()).status()?.success();
        if is_ours {
            // What a killed one left behind would be in the way.
            quietly(Command::new(SCRIPT).arg("down")).context("cluster down")?;
            quietly(Command::new(SCRIPT).arg("up")).context("cluster up")?;
        }
        Ok(Self { is_ours })
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = quietly(Command::new(SCRIPT).arg("down"));
        }
    }
}

/// KUBECONFIG, and PATH with the kubectl of the cluster, as `cluster env` prints them.
fn environment() -> Result<Vec<(&'static str, String)>> {
    let script = format!("eval \"$({SCRIPT} env)\" && printf '%s\\n%s' \"$KUBECONFIG\" \"$PATH\"");
    let output = Command::new("bash").args(["-c", &script]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let (kubeconfig, path) = text.split_once('\n').context("cluster env")?;
    Ok(vec![("KUBECONFIG", kubeconfig.to_owned()), ("PATH", path.to_owned())])
}
