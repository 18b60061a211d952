//! A cluster in a folder: made when absent, started, watched, stopped.

use crate::{
    Programs, lock,
    sockets::{Sockets, encoded},
    user::{self, Unprivileged},
    watch::Watch,
};
use std::{
    ffi::{OsStr, OsString},
    fs, io,
    net::TcpListener,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

const START: Duration = Duration::from_secs(30);
const STOP: Duration = Duration::from_secs(10);
const LEAVING: Duration = Duration::from_secs(3);

/// What a cluster is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Durable; stays when stopped.
    Development,
    /// Nothing is synced to disk; the folder goes when the cluster is dropped.
    Test,
    /// As for a test, and standbys can follow.
    Replication,
}

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Another process has it.
    #[error("PostgreSQL already runs in this folder, as process {pid}")]
    Running {
        /// Of the other server.
        pid: u32,
    },
    /// We are root, PostgreSQL must not be, and an ordinary user cannot get there.
    #[error("PostgreSQL does not run as root, and other users may not enter {0}: choose a folder elsewhere")]
    Closed(PathBuf),
    /// A program ended with an error.
    #[error("{program} failed: {message}")]
    Program {
        /// `initdb` or `postgres`.
        program: &'static str,
        /// The end of what it said.
        message: String,
    },
    /// The folder cannot be used.
    #[error("the folder of the cluster cannot be used")]
    Io(#[from] io::Error),
}

/// A running PostgreSQL, stopped when dropped.
#[derive(Debug)]
pub struct Cluster {
    child: Child,
    folder: PathBuf,
    // These two are dropped after the server has stopped.
    sockets: Sockets,
    _watch: Watch,
    port: u16,
    purpose: Purpose,
}

impl Cluster {
    /// Starts the folder's cluster, and makes it first when there is none. Its superuser is `postgres`, without password:
    /// only this machine can reach it.
    pub fn start(programs: &Programs, folder: &Path, purpose: Purpose) -> Result<Self, ClusterError> {
        let user = user::to_step_down_to();
        let folder = prepare(folder, user)?;
        // After its parent was killed, a server is still shutting down for a moment.
        let start = Instant::now();
        while let Some(pid) = lock::server_of(&folder.join("data")) {
            if start.elapsed() > LEAVING {
                return Err(ClusterError::Running { pid });
            }
            thread::sleep(Duration::from_millis(50));
        }
        let place = Place { programs, folder: &folder, user };
        place.make(purpose)?;
        let (sockets, port) = (Sockets::of(&folder, user)?, port(&folder)?);
        let mut watch = Watch::begin(place.command("/bin/sh"))?;
        let child = place.spawn(&sockets.folder, port, purpose)?;
        watch.over(child.id())?;
        let mut cluster = Self { child, folder, sockets, _watch: watch, port, purpose };
        cluster.wait()?;
        fs::write(cluster.folder.join("port"), port.to_string())?;
        Ok(cluster)
    }

    /// Copies this cluster, which is for replication, into a folder and starts the copy as a standby that follows it.
    pub fn standby(&self, programs: &Programs, folder: &Path) -> Result<Self, ClusterError> {
        let user = user::to_step_down_to();
        let folder = prepare(folder, user)?;
        let mut copy = Place { programs, folder: &folder, user }.command(programs.program("pg_basebackup"));
        copy.args(["--username=postgres", "--no-password", "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
        copy.arg(format!("--port={}", self.port)).arg("--host").arg(self.sockets());
        let Output { status, stderr, .. } = copy.arg("--pgdata").arg(folder.join("data")).output()?;
        if !status.success() {
            let message = last_lines(&String::from_utf8_lossy(&stderr));
            return Err(ClusterError::Program { program: "pg_basebackup", message });
        }
        Self::start(programs, &folder, self.purpose)
    }

    /// A URL over the unix socket.
    pub fn url(&self, user: &str, database: &str) -> String {
        let host = encoded(self.sockets.folder.as_os_str());
        format!("postgresql://{user}@/{database}?host={host}&port={}", self.port)
    }

    /// A URL over loopback, for programs that take nothing else.
    pub fn tcp_url(&self, user: &str, database: &str) -> String {
        format!("postgresql://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// The process id of the server.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The loopback port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the unix socket.
    pub fn sockets(&self) -> &Path {
        &self.sockets.folder
    }

    /// Ready when line 8 of `postmaster.pid` says so; needs no client.
    fn wait(&mut self) -> Result<(), ClusterError> {
        let start = Instant::now();
        loop {
            let lines = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap_or_default();
            let mut lines = lines.lines();
            let ours = lines.next().is_some_and(|pid| pid == self.pid().to_string());
            if ours && lines.nth(6).is_some_and(|state| state.trim() == "ready") {
                return Ok(());
            }
            if self.child.try_wait()?.is_some() || start.elapsed() > START {
                let message = last_lines(&fs::read_to_string(self.folder.join("log")).unwrap_or_default());
                return Err(ClusterError::Program { program: "postgres", message });
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Fast shutdown: sessions end, everything is written.
    fn stop(&mut self) -> io::Result<()> {
        let start = Instant::now();
        self.signal(libc::SIGINT);
        while self.child.try_wait()?.is_none() {
            if start.elapsed() > STOP {
                self.signal(libc::SIGQUIT);
                self.child.wait()?;
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    #[expect(unsafe_code, reason = "the standard library can only kill")]
    fn signal(&self, signal: i32) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // SAFETY: kill takes two integers and touches no memory; the child is not waited for yet, so the id is its own.
            unsafe { libc::kill(pid, signal) };
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.stop();
        if self.purpose != Purpose::Development {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Whose programs work in which folder, as whom.
struct Place<'a> {
    programs: &'a Programs,
    folder: &'a Path,
    user: Option<Unprivileged>,
}

impl Place<'_> {
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder).env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
        if let Some(user) = self.user {
            command.uid(user.uid).gid(user.gid); // the supplementary groups go too
        }
        command.stdin(Stdio::null());
        command
    }

    /// `initdb` beside its final place, so that one that was killed leaves nothing half made.
    fn make(&self, purpose: Purpose) -> Result<(), ClusterError> {
        let (data, half) = (self.folder.join("data"), self.folder.join("data.new"));
        if data.join("PG_VERSION").exists() {
            return Ok(());
        }
        let _ = fs::remove_dir_all(&half);
        let mut initdb = self.command(self.programs.program("initdb"));
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--data-checksums"]);
        initdb.args(not_synced(purpose)).args(["--no-instructions", "--pgdata"]).arg(&half);
        let Output { status, stderr, .. } = initdb.output()?;
        if !status.success() {
            return Err(ClusterError::Program {
                program: "initdb",
                message: last_lines(&String::from_utf8_lossy(&stderr)),
            });
        }
        fs::rename(half, data)?;
        Ok(fs::File::open(self.folder)?.sync_all()?)
    }

    fn spawn(&self, sockets: &Path, port: u16, purpose: Purpose) -> Result<Child, ClusterError> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log"))?;
        let mut postgres = self.command(self.programs.program("postgres"));
        postgres.arg("-D").arg(self.folder.join("data"));
        let mut folder = OsString::from("unix_socket_directories=");
        folder.push(sockets);
        postgres.arg("-c").arg(folder).args(["-c", &format!("port={port}")]);
        let everywhere = ["listen_addresses=127.0.0.1", "logging_collector=off"];
        for setting in everywhere.iter().chain(settings(purpose)).chain(log_settings(purpose)) {
            postgres.args(["-c", setting]);
        }
        // A group of its own: Ctrl-C in the terminal is ours to pass on.
        Ok(postgres.stdout(log.try_clone()?).stderr(log).process_group(0).spawn()?)
    }
}

/// Only what is thrown away may be lost in a power cut.
fn not_synced(purpose: Purpose) -> Option<&'static str> {
    (purpose != Purpose::Development).then_some("--no-sync")
}

const fn settings(purpose: Purpose) -> &'static [&'static str] {
    match purpose {
        Purpose::Development => &["shared_buffers=128MB", "max_connections=100"],
        Purpose::Test | Purpose::Replication => &[
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "autovacuum=off",
            "shared_buffers=64MB",
            "max_connections=200",
        ],
    }
}

/// A log that nobody reads is written as short as can be.
const fn log_settings(purpose: Purpose) -> &'static [&'static str] {
    match purpose {
        Purpose::Development => &[],
        Purpose::Test => &["wal_level=minimal", "max_wal_senders=0"],
        Purpose::Replication => &["wal_level=replica", "max_wal_senders=4"],
    }
}

/// The folder, there, private and owned by whom the server runs as.
fn prepare(folder: &Path, user: Option<Unprivileged>) -> Result<PathBuf, ClusterError> {
    fs::create_dir_all(folder)?;
    let folder = folder.canonicalize()?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
    if let Some(user) = user {
        if let Some(closed) = user::closed_parent(&folder) {
            return Err(ClusterError::Closed(closed.to_owned()));
        }
        chown(&folder, Some(user.uid), Some(user.gid))?;
    }
    Ok(folder)
}

/// The port of the last start if it is free, else any.
fn port(folder: &Path) -> io::Result<u16> {
    let last = fs::read_to_string(folder.join("port")).ok().and_then(|text| text.trim().parse().ok());
    let listener = match last.map(|port: u16| TcpListener::bind(("127.0.0.1", port))) {
        Some(Ok(listener)) => listener,
        _ => TcpListener::bind("127.0.0.1:0")?,
    };
    Ok(listener.local_addr()?.port())
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_throw_away_cluster_is_made_without_syncing() {
        assert_eq!((not_synced(Purpose::Development), not_synced(Purpose::Test)), (None, Some("--no-sync")));
        assert_eq!(not_synced(Purpose::Replication), Some("--no-sync"));
    }
}
