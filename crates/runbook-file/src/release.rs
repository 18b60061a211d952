//! What a release of this project changes and makes beyond what every project has.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// For `runbook version --write` and `runbook build`.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Release {
    /// Files that name images with the newest version, as in `README.md`.
    pub mentions: Vec<PathBuf>,
    /// Commands that write generated files anew, each a line for a shell; run in their order after every other change.
    pub generators: Vec<String>,
    /// A command that writes what a release is made of, and whose last printed line is the file; none: there is none.
    pub sbom: Option<String>,
}
