//! The load: so many connections, each sending its next request when it has the answer to the last.

use crate::{
    target::{Operation, Target},
    wire::Connection,
};
use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use serde_json::Value;
use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// What a load saw.
pub(crate) struct Load {
    pub(crate) took: Duration,
    /// Of every request, sorted.
    pub(crate) latencies: Vec<Duration>,
}

/// Sends for so long.
pub(crate) async fn run(target: &Target, operation: Operation, connections: usize, span: Duration) -> Result<Load> {
    let start = Instant::now();
    let number = AtomicUsize::new(0);
    let each = (0..connections).map(async |_| {
        let mut connection = Connection::open(target.address).await?;
        let mut latencies = vec![];
        while start.elapsed() < span {
            let call = target.call(operation, number.fetch_add(1, Relaxed));
            let sent = Instant::now();
            connection.send(call, &target.authorization).await?;
            latencies.push(sent.elapsed());
        }
        anyhow::Ok(latencies)
    });
    let mut latencies = try_join_all(each).await.with_context(|| format!("{}: {operation}", target.name))?.concat();
    let took = start.elapsed();
    latencies.sort_unstable();
    Ok(Load { took, latencies })
}

/// Creates so many records; their ids.
pub(crate) async fn seed(target: &Target, connections: usize, rows: usize) -> Result<Vec<String>> {
    let number = AtomicUsize::new(0);
    let each = (0..connections).map(async |_| {
        let mut connection = Connection::open(target.address).await?;
        let mut ids = vec![];
        loop {
            let next = number.fetch_add(1, Relaxed);
            if next >= rows {
                return anyhow::Ok(ids);
            }
            let body = connection.send(target.call(Operation::Create, next), &target.authorization).await?;
            let made: Value = serde_json::from_slice(&body)?;
            ids.push(made["id"].as_str().context("a new record has no id")?.to_owned());
        }
    });
    Ok(try_join_all(each).await.with_context(|| format!("{}: rows", target.name))?.concat())
}
