//! One deployable.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What is built and shipped under one name.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Without registry and tag, as in `api-platform/auth-service`.
    pub image: String,
    /// What it is built from, as in `services/auth/Dockerfile`.
    pub dockerfile: PathBuf,
}
