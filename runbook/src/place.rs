//! Where a command works, and whom it tells.

use crate::{failure::Failure, screen::Screen};
use runbook_file::RunbookFile;
use std::path::{Path, PathBuf};

/// Settled once, before any command.
pub(crate) struct Place {
    /// The project's, where `runbook.toml` is.
    pub(crate) folder: PathBuf,
    pub(crate) screen: Screen,
}

impl Place {
    /// The folder where the file is: this one, or one above, as git finds its own.
    pub(crate) fn find(screen: Screen, start: &Path) -> Self {
        let found = start.ancestors().find(|folder| folder.join(runbook_file::NAME).is_file());
        Self { folder: found.unwrap_or(start).to_owned(), screen }
    }

    /// What is configured.
    pub(crate) fn file(&self) -> Result<RunbookFile, Failure> {
        Ok(RunbookFile::read(&self.folder)?)
    }
}
