//! One step of a plan.

use super::Action;
use serde::{Deserialize, Serialize};

/// A code block of the document, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Unique in its plan and the same in every plan: `4.helm.upgrade`. Journals and JSON name steps by it.
    pub(crate) id: String,
    /// The heading of the document that it stands under.
    pub(crate) section: Section,
    /// What it does, in a few words.
    pub(crate) title: String,
    /// The document's literal lines, as they can be typed.
    pub(crate) command: String,
    pub(crate) does: Action,
    /// What takes it back, as it can be typed; none: it changes nothing, or nothing takes it back.
    pub(crate) undone_by: Option<String>,
    pub(crate) on_failure: OnFailure,
}

impl Step {
    /// Whether a way back takes it back.
    pub(crate) fn is_taken_back(&self) -> bool {
        self.on_failure == OnFailure::GoBack && !self.does.is_question()
    }

    /// One that nothing takes back, and at whose failure everything stays as it is.
    pub(crate) fn new(section: Section, id: &str, title: &str, command: String, does: Action) -> Self {
        let (id, title) = (id.to_owned(), title.to_owned());
        Self { id, section, title, command, does, undone_by: None, on_failure: OnFailure::Stop }
    }
}

/// What is done when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnFailure {
    /// Everything stays as it is.
    Stop,
    /// The plan's way back is taken.
    GoBack,
}

/// The document's headings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Section {
    Build,
    Migrations,
    Deploy,
    Verify,
    Smoke,
    Rollback,
}

impl Section {
    /// As the document writes it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Build => "Step 2: Build and Tag Docker Images",
            Self::Migrations => "Step 3: Database Migrations",
            Self::Deploy => "Step 4: Deploy to Kubernetes",
            Self::Verify => "Step 5: Verify Deployment",
            Self::Smoke => "Step 6: Smoke Tests",
            Self::Rollback => "Rollback Steps",
        }
    }
}
