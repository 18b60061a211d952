//! Moments of success, for Prometheus: a file in the folder, as the textfile collector of its node exporter reads it.

use crate::{BackupError, Folder};
use std::{fmt::Write as _, fs};
use types::Timestamp;

const FILE: &str = "backup.prom";
/// When a backup was last made.
pub(crate) const MADE: &str = "backup_last_success_timestamp_seconds";
/// When a backup was last restored and compared, or an instance made of one.
pub(crate) const VERIFIED: &str = "restore_verified_timestamp_seconds";

/// Sets one; the other stays. Whoever reads meanwhile sees the file before or after, never half of it.
pub(crate) fn set(folder: &Folder, name: &str, at: Timestamp) -> Result<(), BackupError> {
    fs::create_dir_all(folder.path()).map_err(BackupError::file(folder.path()))?;
    let path = folder.path().join(FILE);
    let before = fs::read_to_string(&path).unwrap_or_default();
    let mut text = String::new();
    for known in [MADE, VERIFIED] {
        let old = before.lines().find_map(|line| line.strip_prefix(known)?.strip_prefix(' ')).map(str::to_owned);
        let value = if known == name { Some((at.as_millis() / 1000).to_string()) } else { old };
        if let Some(value) = value {
            let _ = writeln!(text, "# TYPE {known} gauge\n{known} {value}");
        }
    }
    let new = path.with_extension("prom.new");
    fs::write(&new, text).map_err(BackupError::file(&new))?;
    fs::rename(&new, &path).map_err(BackupError::file(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_moment_is_set_by_itself() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().join("made when it is missing");
        let folder = Folder::new(&place);
        set(&folder, MADE, Timestamp::from_millis(1_500)).unwrap();
        set(&folder, VERIFIED, Timestamp::from_millis(3_000)).unwrap();
        set(&folder, MADE, Timestamp::from_millis(2_000)).unwrap();
        let text = fs::read_to_string(place.join(FILE)).unwrap();
        let values: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(values, ["backup_last_success_timestamp_seconds 2", "restore_verified_timestamp_seconds 3"]);
    }
}
