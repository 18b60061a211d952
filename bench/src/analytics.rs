//! Analytics events: in batches of 100 and one by one, what each costs, and how much it writes.

use crate::{
    cpu::Spent,
    ours,
    target::Target,
    wire::{Call, Connection, once},
};
use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use futures_util::future::try_join_all;
use hyper::Method;
use serde_json::json;
use std::{
    fmt::{self, Write},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread::available_parallelism,
    time::{Duration, Instant},
};
use types::Clock;

#[derive(clap::Args)]
pub(crate) struct Analytics {
    /// The platform's program, a release build
    #[arg(long)]
    platform: PathBuf,
    /// Connections that send batches, each with one request at a time
    #[arg(long, default_value_t = 32)]
    batch_connections: usize,
    /// Connections that send single events
    #[arg(long, default_value_t = 256)]
    single_connections: usize,
    /// Seconds of each measurement, after one second to warm up
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Rounds
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Where the table goes
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
}

/// How events are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Batch,
    Single,
}

impl Mode {
    const ALL: [Self; 2] = [Self::Batch, Self::Single];

    const fn events(self) -> usize {
        match self {
            Self::Batch => 100,
            Self::Single => 1,
        }
    }

    /// Events a second.
    const fn aim(self) -> f64 {
        match self {
            Self::Batch => 20_000.0,
            Self::Single => 8_000.0,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Batch => "batches of 100",
            Self::Single => "single",
        }
    }

    fn call(self, number: usize) -> Call {
        match self {
            Self::Single => Call { method: Method::POST, path: "/v1/track".to_owned(), body: event(number) },
            Self::Batch => {
                let first = number * self.events();
                let events: Vec<_> = (first..first + self.events()).map(event).collect();
                let body = format!(r#"{{"batch":[{}]}}"#, events.join(","));
                Call { method: Method::POST, path: "/v1/batch".to_owned(), body }
            }
        }
    }
}

/// About 500 bytes, as clients send it: one of 20 names, of 10,000 people.
fn event(number: usize) -> String {
    let (name, user, total) = (number % 20, number.wrapping_mul(7_919) % 10_000, number % 500);
    format!(
        r#"{{"type":"track","messageId":"bench-{number:016}","event":"Event {name}","userId":"user-{user}","timestamp":"2099-01-01T00:00:00.000Z","properties":{{"total":{total},"currency":"EUR","coupon":null,"products":["a-{name}","b-{total}"],"note":"as long as such a text may be, and a little longer"}},"context":{{"library":{{"name":"bench","version":"1.0.0"}},"page":{{"path":"/shop/{name}","title":"Shop"}},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) bench","locale":"en-GB"}}}}"#
    )
}

struct Measured {
    mode: Mode,
    events_a_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    server_us: f64,
    postgres_us: f64,
    wal_bytes: f64,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mode, events_a_second, p50_ms, p99_ms, server_us, postgres_us, wal_bytes } = self;
        write!(
            f,
            "| {:<14} | {events_a_second:>8.0} | {p50_ms:>7.2} | {p99_ms:>7.2} | {server_us:>6.1} | {postgres_us:>6.1} | {wal_bytes:>6.0} |",
            mode.name()
        )
    }
}

const HEAD: &str = "| events | events/s | p50 ms | p99 ms | server CPU µs | PostgreSQL CPU µs | WAL bytes |\n|---|--:|--:|--:|--:|--:|--:|\n";

/// Measures, and writes `analytics-<date>.md`.
pub(crate) async fn run(arguments: &Analytics) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("platform-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let load_before = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let measured = measure_all(arguments, &folder.join("ours")).await;
    let _ = fs::remove_dir_all(&folder);
    let path = write(arguments, &measured?, load_before.split(' ').next().unwrap_or_default())?;
    println!("\n{}\nwritten to {}", fs::read_to_string(&path)?, path.display());
    Ok(())
}

async fn measure_all(arguments: &Analytics, folder: &Path) -> Result<Vec<Measured>> {
    let mut target = ours::start(&arguments.platform, folder).await?;
    let body = json!({ "name": "bench" }).to_string();
    let source = Call { method: Method::POST, path: "/v1/analytics/sources".to_owned(), body };
    let source = once(target.address, &target.authorization, source).await?;
    let key = source["write_key"].as_str().context("a source without a write key")?;
    target.authorization = format!("Basic {}", BASE64.encode(format!("{key}:")));
    let postgres = migrate::connect(&ours::database_url(&arguments.platform, folder)?).await?;
    let wal = async || {
        let row = postgres.query_one("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8", &[]).await?;
        anyhow::Ok(row.get::<_, f64>(0))
    };
    let (next, mut measured) = (AtomicUsize::new(0), vec![]);
    for round in 1..=arguments.rounds {
        for mode in Mode::ALL {
            load(&target, mode, arguments, &next, Duration::from_secs(1)).await?;
            let (cpu_before, wal_before) = (target.cpu()?, wal().await?);
            let (latencies, took) =
                load(&target, mode, arguments, &next, Duration::from_secs(arguments.seconds)).await?;
            let bytes = wal().await? - wal_before;
            measured.push(summed(mode, &latencies, took, (cpu_before, target.cpu()?), bytes));
            println!("round {round}: {}", measured.last().map(ToString::to_string).unwrap_or_default());
        }
    }
    Ok(measured)
}

/// The latencies, sorted, and how long it took.
async fn load(
    target: &Target,
    mode: Mode,
    arguments: &Analytics,
    next: &AtomicUsize,
    span: Duration,
) -> Result<(Vec<Duration>, Duration)> {
    let start = Instant::now();
    let connections = match mode {
        Mode::Batch => arguments.batch_connections,
        Mode::Single => arguments.single_connections,
    };
    let each = (0..connections).map(async |_| {
        let mut connection = Connection::open(target.address).await?;
        let mut latencies = vec![];
        while start.elapsed() < span {
            // Both modes count on, so that no message comes twice.
            let call = mode.call(next.fetch_add(1, Relaxed) + if mode == Mode::Batch { 0 } else { 1 << 40 });
            let sent = Instant::now();
            connection.send(call, &target.authorization).await?;
            latencies.push(sent.elapsed());
        }
        anyhow::Ok(latencies)
    });
    let mut latencies = try_join_all(each).await?.concat();
    let took = start.elapsed();
    latencies.sort_unstable();
    Ok((latencies, took))
}

fn summed(mode: Mode, latencies: &[Duration], took: Duration, (before, after): (Spent, Spent), wal: f64) -> Measured {
    let events = f64::from(u32::try_from(latencies.len() * mode.events()).unwrap_or(u32::MAX));
    let percentile = |percent: usize| {
        let place = (latencies.len() * percent / 100).min(latencies.len().saturating_sub(1));
        latencies.get(place).map(|latency| latency.as_secs_f64() * 1e3).unwrap_or_default()
    };
    Measured {
        mode,
        events_a_second: events / took.as_secs_f64(),
        p50_ms: percentile(50),
        p99_ms: percentile(99),
        server_us: (after.server - before.server) * 1e6 / events,
        postgres_us: (after.postgres - before.postgres) * 1e6 / events,
        wal_bytes: wal / events,
    }
}

fn write(arguments: &Analytics, measured: &[Measured], load_before: &str) -> Result<PathBuf> {
    let date = Clock::system().now().to_string()[..10].to_owned();
    let Analytics { batch_connections, single_connections, seconds, rounds, .. } = arguments;
    let mut page = format!(
        "# Analytics events, {date}\n\n`cargo xtask bench analytics`\n\nEvents of about 500 bytes, 20 names, 10,000 \
         people, acknowledged after the commit; {batch_connections} connections send batches, {single_connections} \
         single events; {seconds} s a measurement, {rounds} rounds. The load generator runs on the same machine. The \
         table has the median round by rate; CPU and WAL are of one event.\n\n{HEAD}"
    );
    for mode in Mode::ALL {
        writeln!(page, "{}", median(measured, mode).context("no round")?)?;
    }
    page += "\n## Against the aims\n\n";
    for mode in Mode::ALL {
        let rate = median(measured, mode).context("no round")?.events_a_second;
        let verdict = if rate >= mode.aim() { "reached" } else { "missed" };
        writeln!(page, "- {}: {rate:.0}/s; aim {:.0}/s: {verdict}", mode.name(), mode.aim())?;
    }
    let output = Command::new(&arguments.platform).arg("version").output()?;
    write!(
        page,
        "\n## Machine and settings\n\n- {} processors; load average before the first measurement {load_before}: what is \
         not 0 is other work on the same processors\n- {}, release build, pool of 5; fsync and synchronous_commit on, no \
         request limits\n\n## Every round\n\n{HEAD}",
        available_parallelism().map_or(1, usize::from),
        String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default(),
    )?;
    measured.iter().try_for_each(|measured| writeln!(page, "{measured}"))?;
    fs::create_dir_all(&arguments.results)?;
    let path = arguments.results.join(format!("analytics-{date}.md"));
    fs::write(&path, page)?;
    Ok(path)
}

fn median(measured: &[Measured], mode: Mode) -> Option<&Measured> {
    let mut rounds: Vec<_> = measured.iter().filter(|measured| measured.mode == mode).collect();
    rounds.sort_by(|a, b| a.events_a_second.total_cmp(&b.events_a_second));
    rounds.get(rounds.len() / 2).copied()
}
