//! Webhooks: how many messages a second are taken and delivered, how long one is on its way, and what it costs.

use crate::{
    cpu, ours,
    sink::Sink,
    target::Target,
    wire::{Call, Connection, once},
};
use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use hyper::Method;
use serde_json::json;
use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};
use tokio::time::{interval, sleep};
use tokio_postgres::NoTls;
use types::Clock;

#[derive(clap::Args)]
pub(crate) struct Webhooks {
    /// The platform's program, a release build
    #[arg(long)]
    platform: PathBuf,
    /// Connections, each with one request at a time
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Rounds, of each of which the median is told
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Messages a second of the measurement of latency
    #[arg(long, default_value_t = 1_000)]
    rate: u64,
    /// Where the table goes
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
}

/// What is put on the platform.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Load {
    Flood { fan_out: usize },
    Paced,
}

impl Load {
    const ALL: [Self; 3] = [Self::Flood { fan_out: 1 }, Self::Paced, Self::Flood { fan_out: 5 }];
}

/// One measurement.
struct Measured {
    load: Load,
    what: String,
    messages: usize,
    /// Until the last was acknowledged, and until the last had arrived everywhere.
    published: Duration,
    drained: Duration,
    /// From sending to receipt, sorted.
    latencies: Vec<Duration>,
    cpu: [cpu::Spent; 2],
    wal_bytes: i64,
}

pub(crate) async fn run(arguments: &Webhooks) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("platform-bench-{}", std::process::id()));
    let measured = measure(arguments, &folder).await;
    // The server has stopped by now; its data is worth nothing.
    let _ = fs::remove_dir_all(&folder);
    let path = write(arguments, &measured?)?;
    println!("\n{}\nwritten to {}", fs::read_to_string(&path)?, path.display());
    Ok(())
}

async fn measure(arguments: &Webhooks, folder: &Path) -> Result<Vec<Measured>> {
    let mut bench = Bench::start(arguments, folder).await?;
    let span = Duration::from_secs(arguments.seconds);
    let (mut all, mut endpoints) = (vec![], 0);
    for fan_out in [1, 5] {
        while endpoints < fan_out {
            bench.endpoint().await?;
            endpoints += 1;
        }
        bench.flood(arguments.connections, Duration::from_secs(1), fan_out).await?;
        for _ in 0..arguments.rounds {
            all.push(bench.flood(arguments.connections, span, fan_out).await?);
            if fan_out == 1 {
                all.push(bench.paced(arguments.rate, span).await?);
            }
        }
    }
    Ok(all)
}

struct Bench {
    target: Target,
    sink: Sink,
    database: tokio_postgres::Client,
}

impl Bench {
    async fn start(arguments: &Webhooks, folder: &Path) -> Result<Self> {
        let target = ours::start(&arguments.platform, folder).await?;
        let output = Command::new(&arguments.platform).args(["dev", "env", "--data-dir"]).arg(folder).output()?;
        let text = String::from_utf8(output.stdout)?;
        let url = text.lines().find_map(|line| line.trim_start_matches("export ").strip_prefix("DATABASE_URL="));
        let url = url.context("platform dev env prints no DATABASE_URL")?.trim_matches(['"', '\'']);
        let (database, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        Ok(Self { target, sink: Sink::start().await?, database })
    }

    async fn endpoint(&self) -> Result<()> {
        let url = format!("http://{}/", self.sink.address);
        let body = json!({ "url": url, "event_types": ["bench.sent"], "max_concurrency": 100 }).to_string();
        let call = Call { method: Method::POST, path: "/v1/webhooks/endpoints".to_owned(), body };
        once(self.target.address, &self.target.authorization, call).await.map(drop)
    }

    /// About 230 bytes, as in the measurements of others.
    fn message(&self) -> Call {
        let data = json!({ "sent_us": self.sink.now_us(), "note": "x".repeat(160) });
        let body = json!({ "type": "bench.sent", "data": data }).to_string();
        Call { method: Method::POST, path: "/v1/webhooks/messages".to_owned(), body }
    }

    async fn wal(&self) -> Result<i64> {
        let bytes = "SELECT (pg_current_wal_lsn() - '0/0')::int8";
        Ok(self.database.query_one(bytes, &[]).await?.get(0))
    }

    async fn flood(&mut self, connections: usize, span: Duration, fan_out: usize) -> Result<Measured> {
        self.target.sign_in()?;
        let (before, wal, start, sent) = (self.target.cpu()?, self.wal().await?, Instant::now(), AtomicUsize::new(0));
        let each = (0..connections).map(async |_| {
            let mut connection = Connection::open(self.target.address).await?;
            while start.elapsed() < span {
                connection.send(self.message(), &self.target.authorization).await?;
                sent.fetch_add(1, Relaxed);
            }
            anyhow::Ok(())
        });
        try_join_all(each).await?;
        let published = start.elapsed();
        let what = format!("as fast as it goes, fan-out {fan_out}");
        let sent = (sent.into_inner(), fan_out);
        self.finish((Load::Flood { fan_out }, what), sent, (before, wal), (start, published)).await
    }

    /// At a steady rate, each second in steps of ten milliseconds.
    async fn paced(&mut self, rate: u64, span: Duration) -> Result<Measured> {
        self.target.sign_in()?;
        let (before, wal, start, sent) = (self.target.cpu()?, self.wal().await?, Instant::now(), AtomicUsize::new(0));
        let connections = 20;
        let every = Duration::from_micros(1_000_000 * connections / rate.max(1));
        let each = (0..connections).map(async |_| {
            let mut connection = Connection::open(self.target.address).await?;
            let mut ticks = interval(every);
            while start.elapsed() < span {
                ticks.tick().await;
                connection.send(self.message(), &self.target.authorization).await?;
                sent.fetch_add(1, Relaxed);
            }
            anyhow::Ok(())
        });
        try_join_all(each).await?;
        let (what, published) = (format!("{rate}/s, fan-out 1"), start.elapsed());
        self.finish((Load::Paced, what), (sent.into_inner(), 1), (before, wal), (start, published)).await
    }

    async fn finish(
        &self,
        (load, what): (Load, String),
        (messages, fan_out): (usize, usize),
        (before, wal): (cpu::Spent, i64),
        (start, published): (Instant, Duration),
    ) -> Result<Measured> {
        let deadline = start.elapsed() + Duration::from_mins(5);
        while self.sink.count() < messages * fan_out {
            ensure!(start.elapsed() < deadline, "{what}: {} of {} arrived", self.sink.count(), messages * fan_out);
            sleep(Duration::from_millis(2)).await;
        }
        let drained = start.elapsed();
        // The last results are written a moment after they arrived.
        sleep(Duration::from_millis(200)).await;
        let (cpu, wal_bytes) = ([before, self.target.cpu()?], self.wal().await? - wal);
        let latencies = self.sink.take();
        Ok(Measured { load, what, messages, published, drained, latencies, cpu, wal_bytes })
    }
}

impl Measured {
    fn messages(&self) -> f64 {
        f64::from(u32::try_from(self.messages).unwrap_or(u32::MAX))
    }

    /// Messages a second that have arrived.
    fn rate(&self) -> f64 {
        self.messages() / self.drained.as_secs_f64()
    }

    /// In milliseconds.
    fn percentile(&self, percent: usize) -> f64 {
        let place = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(place).map(|latency| latency.as_secs_f64() * 1e3).unwrap_or_default()
    }

    /// Of the platform and of PostgreSQL, in microseconds a message.
    fn cpu(&self) -> [f64; 2] {
        let [before, after] = &self.cpu;
        [after.server - before.server, after.postgres - before.postgres].map(|spent| spent * 1e6 / self.messages())
    }

    fn row(&self) -> String {
        let wal = f64::from(i32::try_from(self.wal_bytes).unwrap_or(i32::MAX)) / self.messages();
        let [server, postgres] = self.cpu();
        format!(
            "| {} | {:.0} | {:.0} | {:.1} | {:.1} | {server:.0} | {postgres:.0} | {wal:.0} |",
            self.what,
            self.messages() / self.published.as_secs_f64(),
            self.rate(),
            self.percentile(50),
            self.percentile(99),
        )
    }
}

/// The round in the middle, by rate; where that is given, by p99.
fn median(measured: &[Measured], load: Load) -> Result<&Measured> {
    let mut rounds: Vec<_> = measured.iter().filter(|measured| measured.load == load).collect();
    let by = |one: &Measured| if load == Load::Paced { one.percentile(99) } else { one.rate() };
    rounds.sort_by(|a, b| by(a).total_cmp(&by(b)));
    rounds.get(rounds.len() / 2).copied().context("no round")
}

/// What was wanted, what was measured, and whether that is it.
fn verdicts(measured: &[Measured]) -> Result<String> {
    let (flood, paced) = (median(measured, Load::ALL[0])?, median(measured, Load::Paced)?);
    let verdict = |is_reached| if is_reached { "reached" } else { "missed" };
    let (rate, cpu, p99) = (flood.rate(), flood.cpu().iter().sum::<f64>(), paced.percentile(99));
    Ok(format!(
        "- {rate:.0} messages/s drained; aim 3,000/s: {}\n- {cpu:.0} µs of CPU a message; aim 500 µs: {}\n- p99 {p99:.1} ms at a \
         steady rate; aim 100 ms at 1,000/s: {}\n",
        verdict(rate >= 3_000.0),
        verdict(cpu <= 500.0),
        verdict(p99 <= 100.0),
    ))
}

const HEAD: &str = "| load | published/s | drained/s | p50 ms | p99 ms | server CPU µs | PostgreSQL CPU µs | WAL bytes |\n|---|--:|--:|--:|--:|--:|--:|--:|\n";

/// Writes `webhooks-<date>.md`.
fn write(arguments: &Webhooks, measured: &[Measured]) -> Result<PathBuf> {
    let date = Clock::system().now().to_string()[..10].to_owned();
    let Webhooks { connections, seconds, rounds, .. } = arguments;
    let mut page = format!(
        "# Webhooks, {date}\n\n`cargo xtask bench webhooks`\n\n\
         {connections} connections, {seconds} s a measurement, {rounds} rounds; load generator and receiver run on the \
         same machine. Milliseconds are from the sending of a message to its receipt; CPU and WAL are of a message. The \
         table has the round in the middle: by rate, at a steady rate by p99.\n\n{HEAD}"
    );
    for load in Load::ALL {
        writeln!(page, "{}", median(measured, load)?.row())?;
    }
    write!(page, "\n## Against the aims\n\n{}", verdicts(measured)?)?;
    write!(page, "\n## Machine and settings\n\n{}", crate::report::machine(&arguments.platform))?;
    page += "- a message's commit waits for the disk; what is recorded of its deliveries does not (`synchronous_commit` off): \
             one that is lost is a second delivery with the same `webhook-id`\n- one process, which wakes itself; several \
             look for work every 100 ms\n";
    write!(page, "\n## Every round\n\n{HEAD}")?;
    measured.iter().try_for_each(|measured| writeln!(page, "{}", measured.row()))?;
    fs::create_dir_all(&arguments.results)?;
    let path = arguments.results.join(format!("webhooks-{date}.md"));
    fs::write(&path, page)?;
    Ok(path)
}
