//! How fast, beside a peer: both servers on this machine, in turns, under the same load.
#![allow(clippy::print_stdout, reason = "a command-line program talks")]

mod analytics;
mod cpu;
mod load;
mod ours;
mod pocketbase;
mod report;
mod sink;
mod target;
mod webhooks;
mod wire;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use report::Measured;
use std::{path::PathBuf, time::Duration};
use target::{Operation, Target};
use webhooks::Webhooks;

#[derive(Parser)]
#[command(name = "bench", about = "Measures the platform beside its peers", after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:\n  bench resources --against pocketbase --platform ./platform --peer ./pocketbase\n  bench webhooks --platform ./platform";

#[derive(Subcommand)]
enum Command {
    /// Create, get, and list 20 of many resources
    Resources(Resources),
    /// Analytics events in batches and one by one
    Analytics(analytics::Analytics),
    /// Send messages to webhook endpoints, and receive them
    Webhooks(Webhooks),
}

#[derive(Clone, Copy, ValueEnum)]
enum Peer {
    /// <https://pocketbase.io>: one Go program on SQLite
    Pocketbase,
}

#[derive(clap::Args)]
struct Resources {
    /// The other server
    #[arg(long)]
    against: Peer,
    /// The platform's program, a release build
    #[arg(long)]
    platform: PathBuf,
    /// The peer's program
    #[arg(long)]
    peer: PathBuf,
    /// Rows before anything is measured
    #[arg(long, default_value_t = 112_000)]
    rows: usize,
    /// Connections, each with one request at a time
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds of each measurement, after one second to warm up
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Rounds, in each of which both servers take their turn
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Where the table goes
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match Arguments::parse().command {
        Command::Resources(arguments) => runtime.block_on(resources(&arguments)),
        Command::Analytics(arguments) => runtime.block_on(analytics::run(&arguments)),
        Command::Webhooks(arguments) => runtime.block_on(webhooks::run(&arguments)),
    }
}

async fn resources(arguments: &Resources) -> Result<()> {
    let Peer::Pocketbase = arguments.against;
    let folder = std::env::temp_dir().join(format!("platform-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = measure_both(arguments, &folder).await;
    // The servers have stopped by now; their data is worth nothing.
    let _ = std::fs::remove_dir_all(&folder);
    let path = report::write(&arguments.results, arguments, &measured?)?;
    println!("\n{}\nwritten to {}", std::fs::read_to_string(&path)?, path.display());
    Ok(())
}

async fn measure_both(arguments: &Resources, folder: &std::path::Path) -> Result<Vec<Measured>> {
    let mut targets = [
        ours::start(&arguments.platform, &folder.join("ours")).await?,
        pocketbase::start(&arguments.peer, &folder.join("peer")).await?,
    ];
    for target in &mut targets {
        println!("{}: {} rows", target.name, arguments.rows);
        target.ids = load::seed(target, arguments.connections, arguments.rows).await?;
    }
    let mut measured = vec![];
    for round in 1..=arguments.rounds {
        for operation in Operation::ALL {
            for target in &mut targets {
                measured.push(measure(arguments, target, operation).await?);
                println!("round {round}: {}", measured.last().map(ToString::to_string).unwrap_or_default());
            }
        }
    }
    Ok(measured)
}

async fn measure(arguments: &Resources, target: &mut Target, operation: Operation) -> Result<Measured> {
    target.sign_in()?;
    load::run(target, operation, arguments.connections, Duration::from_secs(1)).await?;
    let before = target.cpu()?;
    let load = load::run(target, operation, arguments.connections, Duration::from_secs(arguments.seconds)).await?;
    let after = target.cpu()?;
    Ok(Measured::new(target.name, operation, &load, &before, &after))
}
