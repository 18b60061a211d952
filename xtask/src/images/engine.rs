//! A Docker engine: the one that docker talks to, or a private one, without registry, that ends with this process.

use super::base;
use crate::tools::{on_path, quietly, target_folder};
use anyhow::{Context, Result, bail};
use std::{
    env,
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// An engine that answers.
pub(crate) struct Engine {
    private: Option<Private>,
}

/// Ours: images are kept in the target folder, all else goes away with it.
struct Private {
    daemon: Child,
    folder: PathBuf,
    /// Held for as long as the daemon runs: two cannot share the images.
    _lock: File,
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Engine {
    /// The one that answers, if it has the base image or can get it; else a private one.
    pub(crate) fn obtain() -> Result<Self> {
        if on_path("docker") && quietly(Command::new("docker").arg("version")).is_ok() && has_base()? {
            return Ok(Self { private: None });
        }
        Ok(Self { private: Some(Private::start()?) })
    }

    pub(crate) fn is_private(&self) -> bool {
        self.private.is_some()
    }

    /// By which docker reaches it.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        // Only the older builder keeps its layers as images, which are named and dropped by us.
        let private =
            |private: &Private| vec![("DOCKER_HOST", host(&private.folder)), ("DOCKER_BUILDKIT", "0".to_owned())];
        self.private.as_ref().map(private).unwrap_or_default()
    }

    /// A command of its client.
    pub(crate) fn docker(&self) -> Command {
        let mut docker = Command::new("docker");
        docker.envs(self.environment());
        docker
    }
}

fn host(folder: &Path) -> String {
    format!("unix://{}", folder.join("s").display())
}

fn has_base() -> Result<bool> {
    let base = base(Path::new("."))?;
    Ok(quietly(Command::new("docker").args(["image", "inspect", &base])).is_ok()
        || quietly(Command::new("docker").args(["pull", "--quiet", &base])).is_ok())
}

impl Private {
    fn start() -> Result<Self> {
        installed()?;
        let images = target_folder()?.join("images");
        fs::create_dir_all(&images)?;
        let lock = File::create(images.join("lock"))?;
        lock.lock()?;
        let folder = folder_for(&images);
        ended(&folder)?;
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        let daemon = command(&folder, &images.join("docker"))?.spawn().context("dockerd cannot be started")?;
        let mut private = Self { daemon, folder, _lock: lock };
        private.wait()?;
        Ok(private)
    }

    /// Until it answers.
    fn wait(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while quietly(Command::new("docker").arg("version").env("DOCKER_HOST", host(&self.folder))).is_err() {
            if self.daemon.try_wait()?.is_some() || Instant::now() > deadline {
                bail!("dockerd does not start: {}", last_lines(&self.folder.join("log")));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

/// A path of a socket has at most 108 bytes: not in the target folder, but the same each time, so that what a killed
/// run left behind goes with the next.
fn folder_for(images: &Path) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    images.hash(&mut hasher);
    env::temp_dir().join(format!("xtask-docker-{:016x}", hasher.finish()))
}

/// A daemon whose command was killed takes a moment to end.
fn ended(folder: &Path) -> Result<()> {
    let Ok(pid) = fs::read_to_string(folder.join("pid")) else { return Ok(()) };
    let runs = || fs::read_to_string(format!("/proc/{}/comm", pid.trim())).is_ok_and(|name| name.trim() == "dockerd");
    let deadline = Instant::now() + PATIENCE;
    while runs() {
        if Instant::now() > deadline {
            bail!("the dockerd of an earlier run does not end: process {}", pid.trim());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The daemon is told to end when this process does, however that happens. It makes no bridge and no firewall rules:
/// builds have no network, and what is run shares this machine's or gets a network of its own.
fn command(folder: &Path, images: &Path) -> Result<Command> {
    let log = File::create(folder.join("log"))?;
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "dockerd", "--bridge=none", "--iptables=false", "--ip-masq=false"]);
    command.args(["--default-address-pool", "base=10.247.0.0/16,size=24", "--host", &host(folder)]);
    command.arg("--data-root").arg(images).arg("--exec-root").arg(folder.join("exec"));
    command.arg("--pidfile").arg(folder.join("pid"));
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok(command)
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}

impl Drop for Private {
    fn drop(&mut self) {
        let pid = self.daemon.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.daemon.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A private engine needs root; who is root on Debian gets it installed.
fn installed() -> Result<()> {
    let id = Command::new("id").arg("-u").output()?;
    if id.stdout.trim_ascii() != b"0" {
        bail!("no Docker engine answers that has or can get the base image; start one, or run this as root");
    }
    if on_path("dockerd") && on_path("docker") {
        return Ok(());
    }
    if !on_path("apt-get") {
        bail!("there is no Docker on this machine: install it, and `cargo xtask test --stage images` runs this");
    }
    println!("installing Docker with\n\n    apt-get install --yes --no-install-recommends docker.io\n");
    let script = "apt-get update -qq && apt-get install --yes -qq --no-install-recommends docker.io";
    let mut install = Command::new("sh");
    quietly(install.args(["-c", script]).env("DEBIAN_FRONTEND", "noninteractive")).context("docker.io")
}
