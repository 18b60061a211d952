//! Logs: for people or as JSON, the level always as a word (`ERROR`), never a secret.

use anyhow::{Context, Result, anyhow, bail};
use std::io::{IsTerminal, stdout};
use tracing::Level;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Human,
    Json,
}

impl Format {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        match text {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            other => bail!("EAP_LOG_FORMAT is `{other}`: it is human or json"),
        }
    }
}

/// Logs to standard output from a level on.
pub(crate) fn to_stdout(level: &str, format: Format) -> Result<()> {
    let filter = filter(level)?;
    let registry = tracing_subscriber::registry();
    match format {
        Format::Human => registry
            .with(tracing_subscriber::fmt::layer().with_ansi(stdout().is_terminal()).with_filter(filter))
            .try_init(),
        Format::Json => {
            registry.with(tracing_subscriber::fmt::layer().json().flatten_event(true).with_filter(filter)).try_init()
        }
    }
    .context("logs")
}

pub(crate) fn filter(level: &str) -> Result<EnvFilter> {
    // Anything else would be taken for the name of a library, and silence the logs.
    let level: Level =
        level.parse().map_err(|_| anyhow!("LOG_LEVEL is `{level}`: it is error, warn, info, debug or trace"))?;
    // Libraries say little that anybody wants; ours is chosen.
    Ok(EnvFilter::try_new(format!("{level},hyper=warn,tokio_postgres=warn,rustls=warn,reqwest=warn"))?)
}
