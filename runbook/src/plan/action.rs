//! What a step does, as data: everything that it needs is settled in the plan.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One thing that is asked or done.
///
/// An effect has a key in it (a snapshot's id, file names, a revision, a tag) by which the world tells whether it is
/// there already. A question changes nothing, and is asked anew after an interruption until it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub(crate) enum Action {
    /// Question: whether the release commit of a version is checked out, and nothing else.
    ReleaseCommit { version: String, commit: String },
    /// An image with this commit in its label, here or in its registry.
    BuildImage { image: String, dockerfile: PathBuf, labelled: Labelled, commit: String },
    /// An image with this commit in its label, in its registry.
    PushImage { image: String, commit: String },
    /// Question: what a release is made of; a line for a shell, which writes it and prints where.
    Sbom { line: String },
    /// Question: nothing. Lines of the document that are run later, by another command.
    Later { why: String },
    /// Question: which migrations of a commit are applied.
    MigrationStatus { commit: String },
    /// Question: what the pending ones would do, and whether they may.
    MigrationReview { commit: String, pending: Vec<String> },
    /// A snapshot of an instance of Amazon RDS.
    Snapshot { instance: String, id: String },
    /// A dump of the database into a folder.
    Dump { folder: PathBuf },
    /// The pending migrations, by name; those of the version come from this commit.
    Migrate { commit: String, pending: Vec<String>, must_run: Vec<String> },
    /// Question: whether the chart is sound, with the values.
    HelmLint { chart: PathBuf },
    /// Question: what the chart renders, and how that differs from what is deployed.
    HelmTemplate { release: Release, version: String },
    /// A revision that helm left unfinished is finished, or taken back.
    HelmHeal { release: String, revision: u32, to: u32, force_conflicts: bool },
    /// A new revision of the release with the version.
    HelmUpgrade { release: Release, version: String, numbers: Numbers, force_conflicts: bool },
    /// A new revision of the release, which is an older one once more.
    HelmRollback {
        release: String,
        to: u32,
        version: String,
        /// What this run may have deployed itself, and goes back from.
        leaves: Option<String>,
        numbers: Numbers,
        force_conflicts: bool,
    },
    /// Question: how the manifests of a folder differ from what is there.
    KubectlDiff { folder: Pinned },
    /// The manifests of a folder.
    Apply { folder: Pinned },
    /// The image of a service's container.
    SetImage { service: String, image: String },
    /// A service's pods as they were at an older revision of its Deployment.
    Undo { service: String, to: u64, image: String },
    /// Question: whether every pod of the newest ReplicaSets is ready; waits.
    Rollout { services: Vec<String> },
    /// Question: what helm remembers.
    HelmHistory { release: String },
    /// Question: what the Deployments remember.
    RolloutHistory { services: Vec<String> },
    /// Question: every pod's version and digest, restarts and readiness.
    Pods { version: String },
    /// Question: what the world is answered at `/v1/health`.
    Health { version: String },
    /// Question: the document's critical endpoints.
    Endpoints,
    /// Question: lines of errors of a kind that was not there before.
    Logs,
    /// Question: how many answers of the pods were errors so far, and how long they took.
    Metrics,
    /// Question: the smoke test, 8 of 8.
    Smoke,
}

/// By which helm's revisions are told apart: those of a run, and those of somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Numbers {
    /// The first that this step's can have.
    pub(crate) from: u32,
    /// What the run heals helm by before, which may take it more than one revision: it is interrupted like everything.
    pub(crate) healed_to: Option<u32>,
}

/// How the commit gets into an image's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Labelled {
    /// The Dockerfile asks for `REVISION` and makes the label itself.
    ByArgument,
    /// docker is told to.
    ByDocker,
}

/// A release of helm, and what it is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Release {
    /// As in `api-platform`.
    pub(crate) name: String,
    /// As in `helm/api-platform`.
    pub(crate) chart: Pinned,
    /// In the order in which they are given.
    pub(crate) values: Vec<Pinned>,
}

/// A file or a folder as it was when it was planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pinned {
    /// From the project's folder.
    pub(crate) path: PathBuf,
    /// Of a file's bytes; of a folder, over the path and the bytes of every file in it. 64 hexadecimal digits.
    pub(crate) sha256: String,
}

impl Action {
    /// The files and folders that it reads, where what is in them decides what it does.
    pub(crate) fn made_of(&self) -> Vec<&Pinned> {
        match self {
            Self::HelmTemplate { release, .. } | Self::HelmUpgrade { release, .. } => {
                std::iter::once(&release.chart).chain(&release.values).collect()
            }
            Self::KubectlDiff { folder } | Self::Apply { folder } => vec![folder],
            _ => vec![],
        }
    }

    /// Whether it lies where only who did it sees it, or is changed by what comes after it: the journal says that it was
    /// done, and the world is not asked again; about a backup, as long as it is young.
    pub(crate) fn is_done_for_good(&self) -> bool {
        matches!(self, Self::Snapshot { .. } | Self::Dump { .. } | Self::Apply { .. })
    }

    /// Whether it is what is gone back to when migrations go wrong.
    pub(crate) fn is_backup(&self) -> bool {
        matches!(self, Self::Snapshot { .. } | Self::Dump { .. })
    }

    /// Whether it gives the services other pods.
    pub(crate) fn rolls_out(&self) -> bool {
        matches!(
            self,
            Self::HelmHeal { .. }
                | Self::HelmUpgrade { .. }
                | Self::HelmRollback { .. }
                | Self::Apply { .. }
                | Self::SetImage { .. }
                | Self::Undo { .. }
        )
    }

    /// Whether it changes nothing.
    pub(crate) fn is_question(&self) -> bool {
        match self {
            Self::ReleaseCommit { .. }
            | Self::Sbom { .. }
            | Self::Later { .. }
            | Self::MigrationStatus { .. }
            | Self::MigrationReview { .. }
            | Self::HelmLint { .. }
            | Self::HelmTemplate { .. }
            | Self::KubectlDiff { .. }
            | Self::HelmHistory { .. }
            | Self::RolloutHistory { .. }
            | Self::Rollout { .. }
            | Self::Pods { .. }
            | Self::Health { .. }
            | Self::Endpoints
            | Self::Logs
            | Self::Metrics
            | Self::Smoke => true,
            Self::BuildImage { .. }
            | Self::PushImage { .. }
            | Self::Snapshot { .. }
            | Self::Dump { .. }
            | Self::Migrate { .. }
            | Self::HelmHeal { .. }
            | Self::HelmUpgrade { .. }
            | Self::HelmRollback { .. }
            | Self::Apply { .. }
            | Self::SetImage { .. }
            | Self::Undo { .. } => false,
        }
    }
}
