//! Where a command works, and whom it tells.

use crate::{failure::Failure, screen::Screen};
use runbook_file::{NAME, RunbookFile};
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
        let found = start.ancestors().find(|folder| folder.join(NAME).is_file());
        Self { folder: found.unwrap_or(start).to_owned(), screen }
    }

    /// What is configured.
    ///
    /// # Errors
    ///
    /// Refused: there is no such file, or it is broken.
    pub(crate) fn file(&self) -> Result<RunbookFile, Failure> {
        if !self.folder.join(NAME).exists() {
            return Err(Failure::refused(format!("there is no {NAME} in {}, nor above it", self.folder.display()))
                .because("it says where the environments are; go to the project's folder, or write one")
                .cured_by("runbook init"));
        }
        Ok(RunbookFile::read(&self.folder)?)
    }
}
