//! What is left of a cluster whose process was killed: no server, and every row.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use private_postgres::{Cluster, Programs, Purpose};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const FOLDER: &str = "PRIVATE_POSTGRES_TEST_FOLDER";
const PURPOSE: &str = "PRIVATE_POSTGRES_TEST_PURPOSE";

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("private-postgres-test-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

/// Not a test of its own: the process that the tests below start, and kill. It says its server's id and URL.
#[test]
fn a_process_that_has_a_cluster() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let purpose = if std::env::var_os(PURPOSE).is_some() { Purpose::Test } else { Purpose::Development };
    let cluster = Cluster::start(&Programs::find().unwrap(), Path::new(&folder), purpose).unwrap();
    eprintln!("\n{} {}", cluster.pid(), cluster.url("postgres", "postgres"));
    std::thread::park();
}

struct Owner {
    process: Child,
    server: u32,
    url: String,
}

impl Owner {
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.process.kill();
    }
}

fn owner(folder: &Path, purpose: Purpose) -> Owner {
    let mut process = Command::new(std::env::current_exe().unwrap());
    process.args(["--exact", "a_process_that_has_a_cluster", "--nocapture"]).env(FOLDER, folder);
    process.envs((purpose == Purpose::Test).then_some((PURPOSE, "test")));
    let mut process = process.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let said = lines.map_while(Result::ok).find(|line| line.contains("postgresql://")).unwrap();
    let (server, url) = said.split_once(' ').unwrap();
    Owner { process, server: server.parse().unwrap(), url: url.to_owned() }
}

/// Whether the process is there and not merely waited for by nobody.
fn lives(pid: u32) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap().stdout;
    !matches!(state.trim_ascii().first(), None | Some(b'Z'))
}

fn ends(pid: u32) {
    let start = Instant::now();
    while lives(pid) {
        assert!(start.elapsed() < Duration::from_secs(10), "process {pid} is still there");
        std::thread::yield_now();
    }
}

fn psql(programs: &Programs, url: &str, sql: &str) -> Command {
    let mut psql = Command::new(programs.program("psql"));
    psql.args(["-XAtqc", sql, "-d", url]).stderr(Stdio::null());
    psql
}

#[test]
fn a_killed_process_leaves_no_server_behind() {
    for (name, purpose) in [("killed-test", Purpose::Test), ("killed-development", Purpose::Development)] {
        let folder = folder(name);
        let mut owner = owner(&folder, purpose);
        assert!(lives(owner.server));
        owner.kill();
        ends(owner.server);
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn the_next_start_after_a_kill_of_process_and_server_has_every_row() {
    let (programs, folder) = (Programs::find().unwrap(), folder("killed-both"));
    let mut owner = owner(&folder, Purpose::Development);
    let write = "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n";
    assert!(psql(&programs, &owner.url, write).status().unwrap().success());
    // A session is open when it happens.
    let mut session = psql(&programs, &owner.url, "SELECT pg_sleep(60)").spawn().unwrap();
    let (start, sleeps) = (Instant::now(), "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'");
    while psql(&programs, &owner.url, sleeps).output().unwrap().stdout.is_empty() {
        assert!(start.elapsed() < Duration::from_secs(10), "no session");
    }
    assert!(Command::new("kill").args(["-9", &owner.server.to_string()]).status().unwrap().success());
    owner.kill();
    session.wait().unwrap();
    let cluster = Cluster::start(&programs, &folder, Purpose::Development).unwrap();
    let count = psql(&programs, &cluster.url("postgres", "postgres"), "SELECT count(*) FROM kept").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&count.stdout).trim(), "1000");
    drop(cluster);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_next_start_after_a_kill_of_the_process_alone_waits_for_its_server_to_leave() {
    let (programs, folder) = (Programs::find().unwrap(), folder("killed-process"));
    let mut owner = owner(&folder, Purpose::Development);
    owner.kill();
    drop(Cluster::start(&programs, &folder, Purpose::Development).unwrap());
    std::fs::remove_dir_all(folder).unwrap();
}
