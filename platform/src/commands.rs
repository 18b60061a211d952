//! The commands, beside `dev`.
#![allow(clippy::print_stdout, reason = "a command talks on standard output")]

pub(crate) mod admin;
pub(crate) mod backup;
pub(crate) mod generate;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod serve;

use crate::schema;
use anyhow::{Context, Result};
use db::secrets::MasterKey;
use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};
use types::Rng;

/// A page on standard output; whoever reads it may stop at any line.
pub(crate) fn print(text: &str) -> ExitCode {
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

pub(crate) fn secrets_init() -> ExitCode {
    println!("{}", MasterKey::generate(&Rng::system()));
    ExitCode::SUCCESS
}

/// An image without a shell has no `sleep`.
pub(crate) async fn prestop(seconds: u16) -> ExitCode {
    tokio::time::sleep(Duration::from_secs(seconds.into())).await;
    ExitCode::SUCCESS
}

pub(crate) fn version(json: bool) -> ExitCode {
    let version = env!("CARGO_PKG_VERSION");
    // The image says it, not the binary: a commit that leaves the code as it is makes the same binary.
    let revision = std::env::var("PLATFORM_REVISION").unwrap_or_else(|_| "unknown".to_owned());
    if json {
        println!(
            "{}",
            serde_json::json!({ "version": version, "schema_needs": schema::needs(), "revision": revision })
        );
    } else {
        println!("platform {version}, needs the schema of {}", schema::needs());
    }
    ExitCode::SUCCESS
}

pub(crate) async fn healthcheck(port: u16) -> Result<ExitCode> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(3)).no_proxy().build()?;
    let answer = client.get(format!("http://127.0.0.1:{port}/health/ready")).send().await;
    let answer = answer.with_context(|| format!("nothing answers on port {port}"))?;
    let ready = answer.status().is_success();
    println!("{}", answer.text().await?);
    Ok(if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
