//! Where backups lie: one folder each, and a lock.

use crate::{Backup, BackupError, manifest::NAME, metrics};
use std::{
    cmp::Reverse,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};
use types::Timestamp;

/// Of a folder whose backup is being made, or was cut off.
const HALF: &str = ".part";

/// A folder of backups.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// One that is there, or will be made with the first backup.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// All that are whole, newest first.
    pub fn list(&self) -> Result<Vec<Backup>, BackupError> {
        let Ok(entries) = fs::read_dir(&self.0) else { return Ok(Vec::new()) };
        let paths = entries.flatten().map(|entry| entry.path());
        let whole = paths.filter(|path| !is_half(path) && path.join(NAME).exists());
        let mut all = whole.map(|path| Backup::read(&path)).collect::<Result<Vec<_>, _>>()?;
        all.sort_by_key(|backup| Reverse(backup.manifest.taken_at));
        Ok(all)
    }

    /// The folder of one, by its id; of the newest without.
    pub fn find(&self, id: Option<&str>) -> Result<PathBuf, BackupError> {
        let all = self.list()?;
        let Some(id) = id else {
            let newest = all.first().ok_or_else(|| BackupError::None(self.0.clone()))?;
            return Ok(self.0.join(&newest.manifest.id));
        };
        let is_known = all.iter().any(|backup| backup.manifest.id == id);
        is_known.then(|| self.0.join(id)).ok_or_else(|| BackupError::Unknown(id.to_owned()))
    }

    /// Says to Prometheus that a backup was made which does not lie here: a snapshot.
    pub fn note_made(&self, at: Timestamp) -> Result<(), BackupError> {
        metrics::set(self, metrics::MADE, at)
    }

    /// Says to Prometheus that one which does not lie here was restored.
    pub fn note_restored(&self, at: Timestamp) -> Result<(), BackupError> {
        metrics::set(self, metrics::VERIFIED, at)
    }

    /// One process at a time makes a backup here. What others left unfinished goes.
    pub(crate) fn lock(&self) -> Result<File, BackupError> {
        fs::create_dir_all(&self.0).map_err(BackupError::file(&self.0))?;
        let path = self.0.join(".lock");
        let lock = File::options().create(true).append(true).open(&path).map_err(BackupError::file(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::Busy(self.0.clone())),
            Err(TryLockError::Error(error)) => return Err(BackupError::File(path, error)),
        }
        let entries = fs::read_dir(&self.0).map_err(BackupError::file(&self.0))?;
        for half in entries.flatten().map(|entry| entry.path()).filter(|path| is_half(path)) {
            fs::remove_dir_all(&half).map_err(BackupError::file(&half))?;
        }
        Ok(lock)
    }

    /// Where the backup `id` is being made.
    pub(crate) fn half(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}{HALF}"))
    }
}

fn is_half(path: &Path) -> bool {
    path.to_string_lossy().ends_with(HALF)
}
