//! The table of a comparison, and the machine that it is true for.

use crate::{Resources, cpu::Spent, load::Load, target::Operation};
use anyhow::Result;
use std::{
    fmt::{self, Write},
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::available_parallelism,
};
use types::Clock;

/// One measurement of one server.
pub(crate) struct Measured {
    server: &'static str,
    operation: Operation,
    requests_a_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// CPU an operation, in microseconds.
    server_us: f64,
    postgres_us: f64,
}

impl Measured {
    pub(crate) fn new(server: &'static str, operation: Operation, load: &Load, before: &Spent, after: &Spent) -> Self {
        let requests = f64::from(u32::try_from(load.latencies.len()).unwrap_or(u32::MAX));
        let percentile = |percent: usize| {
            let place = (load.latencies.len() * percent / 100).min(load.latencies.len().saturating_sub(1));
            load.latencies.get(place).map(|latency| latency.as_secs_f64() * 1e3).unwrap_or_default()
        };
        Self {
            server,
            operation,
            requests_a_second: requests / load.took.as_secs_f64(),
            p50_ms: percentile(50),
            p99_ms: percentile(99),
            server_us: (after.server - before.server) * 1e6 / requests,
            postgres_us: (after.postgres - before.postgres) * 1e6 / requests,
        }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, operation, requests_a_second, p50_ms, p99_ms, server_us, postgres_us } = self;
        let operation = operation.to_string();
        write!(
            f,
            "| {operation:<7} | {server:<10} | {requests_a_second:>8.0} | {p50_ms:>7.2} | {p99_ms:>7.2} | {server_us:>6.0} | {postgres_us:>10.0} |"
        )
    }
}

const HEAD: &str = "| operation | server | requests/s | p50 ms | p99 ms | server CPU µs | PostgreSQL CPU µs |\n|---|---|--:|--:|--:|--:|--:|\n";

/// What the platform aims at, as a multiple of the peer's rate.
fn aim(operation: Operation) -> f64 {
    match operation {
        Operation::Create => 1.2,
        Operation::Get | Operation::List => 3.0,
    }
}

/// Writes `resources-<date>.md`.
pub(crate) fn write(folder: &Path, arguments: &Resources, measured: &[Measured]) -> Result<PathBuf> {
    let date = Clock::system().now().to_string()[..10].to_owned();
    let Resources { rows, connections, seconds, rounds, .. } = arguments;
    let mut page = format!(
        "# Resources beside PocketBase, {date}\n\n\
         `cargo xtask bench resources --against pocketbase`\n\n\
         {rows} rows, {connections} connections, {seconds} s a measurement, {rounds} rounds in turns; the load \
         generator runs on the same machine. The table has the median round by \
         rate.\n\n{HEAD}"
    );
    let servers = servers(measured);
    for operation in Operation::ALL {
        for server in &servers {
            if let Some(median) = median(measured, operation, server) {
                writeln!(page, "{median}")?;
            }
        }
    }
    page += "\n## Against the aims\n\n";
    for operation in Operation::ALL {
        write_ratio(&mut page, measured, operation, &servers)?;
    }
    write!(page, "\n## Machine and settings\n\n{}\n## Every round\n\n{HEAD}", facts(arguments))?;
    measured.iter().try_for_each(|measured| writeln!(page, "{measured}"))?;
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("resources-{date}.md"));
    fs::write(&path, page)?;
    Ok(path)
}

fn servers(measured: &[Measured]) -> Vec<&'static str> {
    let mut servers: Vec<_> = measured.iter().map(|measured| measured.server).collect();
    // The platform measures first in each round.
    servers.truncate(2);
    servers
}

fn median<'a>(measured: &'a [Measured], operation: Operation, server: &str) -> Option<&'a Measured> {
    let is_wanted = |measured: &&Measured| measured.operation == operation && measured.server == server;
    let mut rounds: Vec<_> = measured.iter().filter(is_wanted).collect();
    rounds.sort_by(|a, b| a.requests_a_second.total_cmp(&b.requests_a_second));
    rounds.get(rounds.len() / 2).copied()
}

fn write_ratio(page: &mut String, measured: &[Measured], operation: Operation, servers: &[&str]) -> fmt::Result {
    let rate = |server: &&str| median(measured, operation, server).map(|median| median.requests_a_second);
    let [Some(ours), Some(theirs)] = [servers.first().and_then(rate), servers.get(1).and_then(rate)] else {
        return Ok(());
    };
    let (ratio, aim) = (ours / theirs, aim(operation));
    let verdict = if ratio >= aim { "reached" } else { "missed" };
    writeln!(page, "- {operation}: {ratio:.2} × the peer's rate; aim {aim} ×: {verdict}")
}

fn facts(arguments: &Resources) -> String {
    format!(
        "{}- {}, its own defaults: WAL, `synchronous(NORMAL)`, so a commit does not wait for the disk as the platform's does\n",
        machine(&arguments.platform),
        version(&arguments.peer, "--version"),
    )
}

fn version(program: &Path, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().next().unwrap_or_default().to_owned()
}

/// What the figures are true for.
pub(crate) fn machine(platform: &Path) -> String {
    let line = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let value = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(':'));
        value.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "- {} × {}, {} of memory, Linux {}\n- {}, release build, pool of 5; fsync on and commits that wait for it, event log on, no request limits\n",
        available_parallelism().map_or(1, usize::from),
        line("/proc/cpuinfo", "model name"),
        line("/proc/meminfo", "MemTotal"),
        kernel.trim(),
        version(platform, "version"),
    )
}
