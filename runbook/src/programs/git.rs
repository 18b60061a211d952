//! `git`

use super::{Call, CallError};
use std::path::{Path, PathBuf};

/// A repository.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    folder: PathBuf,
}

impl Git {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Any of its commands.
    pub(crate) fn call<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Call {
        Call::new("git").args(arguments).within(&self.folder)
    }

    /// The URL of a remote.
    pub(crate) async fn remote(&self, name: &str) -> Result<String, CallError> {
        Ok(self.call(["remote", "get-url", name]).run().await?.trim().to_owned())
    }
}
