//! One line a request in the terminal, beside warnings.

use crate::logs;
use anyhow::{Context as _, Result};
use std::{
    collections::HashMap,
    fmt::Debug,
    io::{IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering},
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    filter::filter_fn,
    layer::{Context, SubscriberExt},
    util::SubscriberInitExt,
};

/// Requests as lines of their own, everything else from a level on.
pub(super) fn to_terminal(level: &str) -> Result<()> {
    let lines = Lines.with_filter(filter_fn(|event| event.target() == "request"));
    let rest = tracing_subscriber::fmt::layer()
        .without_time()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let rest = rest.with_filter(logs::filter(level)?).with_filter(filter_fn(|event| event.target() != "request"));
    tracing_subscriber::registry().with(lines).with(rest).try_init().context("logs")
}

/// Set once the first screen stands: what the platform asked itself before is nobody's business.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// From now on requests are shown.
pub(super) fn show() {
    SHOWN.store(true, Ordering::Relaxed);
}

struct Lines;

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if !SHOWN.load(Ordering::Relaxed) {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        // Whoever read the screen may have closed the pipe; that is no reason to fail a request.
        let _ = writeln!(std::io::stdout(), "{}", line(&fields.0));
    }
}

#[derive(Default)]
struct Fields(HashMap<&'static str, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name(), format!("{value:.0}"));
    }
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

fn line(fields: &HashMap<&'static str, String>) -> String {
    let field = |name| fields.get(name).map_or("", String::as_str);
    let request = format!("{} {}", field("method"), field("path"));
    let why = [field("code"), field("request_id")].join(" ");
    format!("  {}  {request:<44} {:>5} ms  {}", field("status"), field("ms"), why.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_line() {
        let fields =
            [("method", "GET"), ("path", "/v1/users"), ("status", "200"), ("ms", "3"), ("request_id", "req_1")];
        let fields = fields.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        assert_eq!(line(&fields), "  200  GET /v1/users                                    3 ms  req_1");
    }
}
