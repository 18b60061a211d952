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

pub(crate) use action::{Action, Labelled, Numbers, Pinned, Release};
pub(crate) use build::{BuildRequest, Built, build};
pub(crate) use deploy::{CHART, RELEASE, deploy, verify};
pub(crate) use rollback::rollback;
pub(crate) use step::{OnFailure, Section, Step};

use crate::request::Via;
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
    /// Why what served before cannot be gone back to; none: it can, or nothing served.
    pub(crate) no_back: Option<NoBack>,
}

/// Of a way back that would lead to an image that could not start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NoBack {
    /// In a line.
    pub(crate) why: String,
    /// What can be done instead, by whoever is there when the rollout fails.
    pub(crate) ways_out: String,
}

impl Plan {
    /// Whether it makes images, and changes no environment.
    pub(crate) fn is_build(&self) -> bool {
        self.steps.iter().all(|step| step.section == Section::Build)
    }

    /// Of everything in it: SHA-256, as 64 hexadecimal digits.
    pub(crate) fn hash(&self) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        hex::encode(digest(&SHA256, &text))
    }

    /// Whether it leads to an older version, which is what it is for.
    pub(crate) fn is_way_back(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.does, Action::HelmRollback { .. } | Action::Undo { .. }))
    }

    /// The line that takes it back once its rollout was begun; none: nothing is there to go back to.
    pub(crate) fn taken_back_by(&self) -> Option<String> {
        self.back.first()?;
        // By its number: whether helm made a revision for this plan, and so which one is the last before it, differs.
        let to = self.back.iter().find_map(|step| match step.does {
            Action::HelmRollback { to, .. } => Some(format!("--to {to}")),
            _ => None,
        });
        Some(format!("runbook rollback {} {}", self.environment, to.as_deref().unwrap_or("--via kubectl")))
    }

    /// By which of the document's ways.
    pub(crate) fn via(&self) -> Via {
        let is_by_kubectl =
            |step: &Step| matches!(step.does, Action::Apply { .. } | Action::SetImage { .. } | Action::Undo { .. });
        if self.steps.iter().any(is_by_kubectl) { Via::Kubectl } else { Via::Helm }
    }

    /// helm's revision that it goes back to.
    pub(crate) fn to(&self) -> Option<u32> {
        self.steps.iter().find_map(|step| if let Action::HelmRollback { to, .. } = step.does { Some(to) } else { None })
    }

    /// The files and folders that it is made of, which are all that it has from this machine.
    pub(crate) fn made_of(&self) -> Vec<&Pinned> {
        self.steps.iter().flat_map(|step| step.does.made_of()).collect()
    }

    /// What plans it as things are now, as it can be typed; of a way back, which shows its plan before it is confirmed,
    /// the same once more.
    pub(crate) fn anew(&self) -> String {
        self.command.replacen("runbook deploy", "runbook plan", 1)
    }
}
