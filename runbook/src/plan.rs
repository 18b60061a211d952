//! A change before anything happens: its steps as data, and the hash that names it.
//!
//! Made by `build`, `deploy` and `rollback` out of what was asked and what was observed, and of nothing else: the same two give
//! the same plan, on every machine.

mod action;
mod build;
mod deploy;
mod gate;
mod kubectl;
mod migrations;
mod rollback;
mod step;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use action::{Action, Labelled, Release};
pub(crate) use build::{BuildRequest, Built, build};
pub(crate) use deploy::{RELEASE, deploy, verify};
pub(crate) use rollback::rollback;
pub(crate) use step::{OnFailure, Section, Step};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// What is going to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// A name in `runbook.toml`.
    pub(crate) environment: String,
    /// The command that made it, as it can be typed: `runbook deploy staging --version 1.2.4`.
    pub(crate) command: String,
    /// The version that serves before it; none: none does, or several do.
    pub(crate) from: Option<String>,
    /// The version that runs when it is done.
    pub(crate) version: String,
    /// What people should know before they say yes.
    pub(crate) notices: Vec<String>,
    /// In their order.
    pub(crate) steps: Vec<Step>,
    /// What is done when a step with [`OnFailure::GoBack`] fails; none: there is no way back.
    pub(crate) back: Vec<Step>,
}

impl Plan {
    /// Of everything in it: SHA-256, as 64 hexadecimal digits.
    pub(crate) fn hash(&self) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        hex::encode(digest(&SHA256, &text))
    }
}
