//! One line a step while they run, or one JSON document at the end.

use serde_json::{Value, json};
use std::time::Duration;

/// How a step ended.
pub(super) enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// All of them.
pub(super) struct Report {
    url: String,
    json: bool,
    steps: Vec<Value>,
    passed: usize,
    took: Duration,
    erased: Option<String>,
}

impl Report {
    pub(super) fn new(url: &str, json: bool) -> Self {
        if !json {
            println!("\n  Smoke test of {url}\n");
        }
        Self { url: url.to_owned(), json, steps: vec![], passed: 0, took: Duration::ZERO, erased: None }
    }

    pub(super) fn step(&mut self, name: &str, took: Duration, outcome: Outcome) {
        let (mark, result, detail) = match outcome {
            Outcome::Passed => ("✓", "passed", None),
            Outcome::Failed(why) => ("✗", "failed", Some(why)),
            Outcome::Skipped(why) => ("–", "skipped", Some(why)),
        };
        if !self.json {
            println!(
                "  {mark} {name:<26}{:>6} ms{}",
                took.as_millis(),
                detail.as_ref().map_or(String::new(), |why| format!("  {why}"))
            );
        }
        self.passed += usize::from(result == "passed");
        self.took += took;
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.steps.push(json!({ "name": name, "result": result, "ms": millis, "detail": detail }));
    }

    /// Whether what was made is gone again.
    pub(super) fn erased(&mut self, done: anyhow::Result<()>) {
        if let Err(error) = done {
            let why = format!("what was made is not erased yet, the platform does so within the hour: {error:#}");
            if !self.json {
                println!("\n  {why}");
            }
            self.erased = Some(why);
        }
    }

    pub(super) fn finish(&self) {
        let (passed, all) = (self.passed, super::NAMES.len());
        if self.json {
            let report =
                json!({ "url": self.url, "passed": passed, "of": all, "steps": self.steps, "not_erased": self.erased });
            println!("{report}");
        } else {
            println!("\n  {passed} of {all} passed in {:.1} s\n", self.took.as_secs_f64());
        }
    }

    pub(super) fn is_good(&self) -> bool {
        self.passed == super::NAMES.len()
    }
}
