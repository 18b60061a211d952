//! What a check found.

use crate::page::Mark;
use serde::Serialize;

/// One thing that is so, or is not.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) group: Group,
    /// Never changes: `tool.helm`, `right.patch.deployments.apps`.
    pub(crate) id: String,
    #[serde(rename = "state", serialize_with = "state")]
    pub(crate) mark: Mark,
    pub(crate) what: String,
    /// What it keeps one from.
    pub(crate) why: Option<String>,
    /// A command, or a line for `runbook.toml`.
    pub(crate) cure: Option<String>,
}

/// The document's headings, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Group {
    Tools,
    Sources,
    Cluster,
    Amazon,
    Registry,
    Database,
}

impl Group {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Tools => "Tools",
            Self::Sources => "Sources",
            Self::Cluster => "Cluster",
            Self::Amazon => "AWS",
            Self::Registry => "Registry",
            Self::Database => "Database",
        }
    }

    pub(crate) fn good(self, id: impl Into<String>, what: impl Into<String>) -> Finding {
        Finding { group: self, id: id.into(), mark: Mark::Good, what: what.into(), why: None, cure: None }
    }

    pub(crate) fn failed(self, id: impl Into<String>, what: impl Into<String>, why: impl Into<String>) -> Finding {
        Finding { mark: Mark::Failed, why: Some(why.into()), ..self.good(id, what) }
    }

    pub(crate) fn warning(self, id: impl Into<String>, what: impl Into<String>, why: impl Into<String>) -> Finding {
        Finding { mark: Mark::Warning, ..self.failed(id, what, why) }
    }
}

impl Finding {
    #[must_use]
    pub(crate) fn cured_by(self, cure: impl Into<String>) -> Self {
        Self { cure: Some(cure.into()), ..self }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn state<S: serde::Serializer>(mark: &Mark, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match mark {
        Mark::Good => "good",
        Mark::Warning => "warning",
        Mark::Failed => "failed",
    })
}
