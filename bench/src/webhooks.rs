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
    /// Messages a second of the measurement of latency
    #[arg(long, default_value_t = 1_000)]
    rate: u64,
    /// Where the table goes
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
}

/// One measurement.
struct Measured {
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
        bench.flood(arguments.connections, Duration::from_secs(1), fan_out, "warm-up").await?;
        let what = format!("as fast as it goes, fan-out {fan_out}");
        all.push(bench.flood(arguments.connections, span, fan_out, &what).await?);
        if fan_out == 1 {
            all.push(bench.paced(arguments.rate, span).await?);
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

    async fn flood(&mut self, connections: usize, span: Duration, fan_out: usize, what: &str) -> Result<Measured> {
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
        self.finish((what, sent.into_inner(), fan_out), (before, wal), (start, published)).await
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
        self.finish((&what, sent.into_inner(), 1), (before, wal), (start, published)).await
    }

    async fn finish(
        &self,
        (what, messages, fan_out): (&str, usize, usize),
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
        let (what, latencies) = (what.to_owned(), self.sink.take());
        Ok(Measured { what, messages, published, drained, latencies, cpu, wal_bytes })
    }
}

impl Measured {
    fn row(&self) -> String {
        let messages = f64::from(u32::try_from(self.messages).unwrap_or(u32::MAX));
        let percentile = |percent: usize| {
            let place = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
            self.latencies.get(place).map(|latency| latency.as_secs_f64() * 1e3).unwrap_or_default()
        };
        let [before, after] = &self.cpu;
        let wal = f64::from(i32::try_from(self.wal_bytes).unwrap_or(i32::MAX)) / messages;
        format!(
            "| {} | {:.0} | {:.0} | {:.1} | {:.1} | {:.0} | {:.0} | {wal:.0} |",
            self.what,
            messages / self.published.as_secs_f64(),
            messages / self.drained.as_secs_f64(),
            percentile(50),
            percentile(99),
            (after.server - before.server) * 1e6 / messages,
            (after.postgres - before.postgres) * 1e6 / messages,
        )
    }
}

const HEAD: &str = "| load | published/s | drained/s | p50 ms | p99 ms | server CPU µs | PostgreSQL CPU µs | WAL bytes |\n|---|--:|--:|--:|--:|--:|--:|--:|\n";

/// Writes `webhooks-<date>.md`.
fn write(arguments: &Webhooks, measured: &[Measured]) -> Result<PathBuf> {
    let date = Clock::system().now().to_string()[..10].to_owned();
    let Webhooks { connections, seconds, .. } = arguments;
    let mut page = format!(
        "# Webhooks, {date}\n\n`cargo xtask bench webhooks`\n\n\
         {connections} connections, {seconds} s a measurement; load generator and receiver run on the same machine. \
         Milliseconds are from the sending of a message to its receipt; CPU and WAL are of a message.\n\n{HEAD}"
    );
    for one in measured {
        writeln!(page, "{}", one.row())?;
    }
    page +=
        "\n## The aims\n\nAt least 3,000 messages/s, at most 500 µs of CPU a message, p99 below 100 ms at 1,000/s.\n";
    write!(page, "\n## Machine and settings\n\n{}", crate::report::machine(&arguments.platform))?;
    fs::create_dir_all(&arguments.results)?;
    let path = arguments.results.join(format!("webhooks-{date}.md"));
    fs::write(&path, page)?;
    Ok(path)
}
