//! A new migration file.

use crate::{Files, file::DOWN};
use jiff::civil::Date;
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Why there is no new file.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// The name would not do.
    #[error("{0}: a migration's name has small letters, digits and underscores, as in add_mfa_columns")]
    Name(String),
    /// The folder or a file of it cannot be used.
    #[error(transparent)]
    Files(#[from] crate::FileError),
    /// A file cannot be written.
    #[error("{0} cannot be written: {1}")]
    Unwritable(String, #[source] io::Error),
}

const TEXT: &str = "-- What this changes, and why (its headers: README.md).\n\n";

/// Writes `YYYYMMDD_name.sql`, and `YYYYMMDD_name.down.sql` when asked, and returns their paths. The date is today's, or
/// that of the newest file when this is later: a file that sorts before an applied one would be refused.
pub fn new(folder: &Path, name: &str, today: Date, down: bool) -> Result<Vec<PathBuf>, NewError> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || name.len() > 80 || !name.chars().all(fits) {
        return Err(NewError::Name(name.to_owned()));
    }
    let files = Files::load(folder)?;
    let today = today.strftime("%Y%m%d").to_string();
    let newest = files.newest().and_then(|newest| newest.get(..8)).unwrap_or_default();
    let date = today.as_str().max(newest);
    let mut name = format!("{date}_{name}.sql");
    // On one day the names decide the order.
    if files.newest().is_some_and(|newest| newest > name.as_str()) {
        let day = date.parse::<Date>().ok().and_then(|day| day.tomorrow().ok());
        name = name.replacen(date, &day.map_or_else(|| date.to_owned(), |day| day.strftime("%Y%m%d").to_string()), 1);
    }
    let mut written = vec![write(folder, &name)?];
    if down {
        written.push(write(folder, &name.replace(".sql", DOWN))?);
    }
    Ok(written)
}

fn write(folder: &Path, name: &str) -> Result<PathBuf, NewError> {
    let path = folder.join(name);
    let written = fs::File::create_new(&path).and_then(|mut file| file.write_all(TEXT.as_bytes()));
    written.map_err(|error| NewError::Unwritable(path.display().to_string(), error))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("platform-new-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn name(paths: &[PathBuf]) -> Vec<String> {
        paths.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_new_file_sorts_behind_every_other_and_can_be_loaded() {
        let folder = folder("order");
        let today = date(2026, 2, 28);
        assert_eq!(name(&new(&folder, "b", today, true).unwrap()), ["20260228_b.sql", "20260228_b.down.sql"]);
        assert_eq!(name(&new(&folder, "a", today, false).unwrap()), ["20260301_a.sql"]);
        assert_eq!(name(&new(&folder, "c", date(2025, 1, 1), false).unwrap()), ["20260301_c.sql"]);
        assert_eq!(Files::load(&folder).unwrap().in_order().len(), 3);
        assert!(matches!(new(&folder, "c", date(2025, 1, 1), false), Err(NewError::Unwritable(..))));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_name_that_a_shell_or_a_reader_would_stumble_over_is_refused() {
        let folder = folder("names");
        for name in ["", "Add", "a b", "../a", "a.sql", "é"] {
            assert!(matches!(new(&folder, name, date(2026, 1, 1), false), Err(NewError::Name(_))), "{name}");
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
