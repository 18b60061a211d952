//! Migration files: names, headers, checksums.

use aws_lc_rs::digest::{SHA256, digest};
use semver::Version;
use std::{io, path::Path};

/// A file as it will run.
#[derive(Debug, Clone)]
pub struct File {
    /// `YYYYMMDD_name.sql`.
    pub name: String,
    /// What runs.
    pub sql: String,
    /// The oldest image that can run after it (`-- oldest-app: X.Y.Z`); none: any.
    pub oldest_app: Option<Version>,
}

/// The files of a version of the platform, in order.
#[derive(Debug, Clone, Default)]
pub struct Files(Vec<File>);

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The name has no date.
    #[error("{0}: a migration is named YYYYMMDD_name.sql, with a date that exists")]
    Name(String),
    /// A line of the leading comments that looks like a header, and is none.
    #[error(
        "{file}: `-- {line}` looks like a header and is none; the nearest is `-- {nearest}: …`, and prose starts with more than one word"
    )]
    Header {
        /// The file.
        file: String,
        /// The line.
        line: String,
        /// The known header that is nearest.
        nearest: &'static str,
    },
    /// A version in the header that is none.
    #[error("{0}: the header `-- oldest-app:` needs a version as in 1.2.3")]
    OldestApp(String),
    /// The folder or a file cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, #[source] io::Error),
}

impl Files {
    /// From a folder; only `*.sql` counts.
    pub fn load(folder: &Path) -> Result<Self, FileError> {
        let unreadable = |path: &Path| {
            let path = path.display().to_string();
            move |error| FileError::Unreadable(path, error)
        };
        let mut files = Vec::new();
        for entry in folder.read_dir().map_err(unreadable(folder))? {
            let path = entry.map_err(unreadable(folder))?.path();
            if path.extension().is_some_and(|extension| extension == "sql") {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                files.push(File::parse(name, &std::fs::read_to_string(&path).map_err(unreadable(&path))?)?);
            }
        }
        Ok(Self::ordered(files))
    }

    /// From what a binary carries: name and text, each.
    pub fn embedded(files: &[(&str, &str)]) -> Result<Self, FileError> {
        let files = files.iter().map(|(name, text)| File::parse((*name).to_owned(), text));
        files.collect::<Result<_, _>>().map(Self::ordered)
    }

    fn ordered(mut files: Vec<File>) -> Self {
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Self(files)
    }

    /// In the order in which they run.
    pub fn in_order(&self) -> &[File] {
        &self.0
    }

    /// The name of the newest, which is what a binary that carries them needs.
    pub fn newest(&self) -> Option<&str> {
        self.0.last().map(|file| file.name.as_str())
    }
}

impl File {
    fn parse(name: String, text: &str) -> Result<Self, FileError> {
        let date = name.split_once('_').map(|(date, _)| date).filter(|date| date.len() == 8);
        if date.is_none_or(|date| jiff::civil::Date::strptime("%Y%m%d", date).is_err()) {
            return Err(FileError::Name(name));
        }
        // Line ends and trailing blanks are an editor's business, not a change.
        let sql = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned();
        let mut oldest_app = None;
        let comments = sql.lines().take_while(|line| line.is_empty() || line.starts_with("--"));
        for line in comments.map(|line| line.trim_start_matches('-').trim()) {
            if let Some(version) = line.strip_prefix("oldest-app:") {
                oldest_app = Some(version.trim().parse().map_err(|_| FileError::OldestApp(name.clone()))?);
            } else if let Some(nearest) = meant_header(line) {
                return Err(FileError::Header { file: name, line: line.to_owned(), nearest });
            }
        }
        Ok(Self { name, sql, oldest_app })
    }

    /// SHA-256 of the normalised text, in hexadecimal.
    pub fn checksum(&self) -> String {
        let digest = digest(&SHA256, self.sql.as_bytes());
        hex::encode(digest)
    }
}

/// What a header may be called.
const HEADERS: [&str; 1] = ["oldest-app"];

/// The known header that a comment seems to mean: a misspelt one would be ignored, and what it guards against happen.
fn meant_header(comment: &str) -> Option<&'static str> {
    let name = comment.split_once(':').map_or(comment, |(name, _)| name).trim();
    let first = name.split_whitespace().next()?;
    let distance = |known: &str, name: &str| strsim::osa_distance(known, &name.to_lowercase().replace(['_', ' '], "-"));
    let nearest = HEADERS.into_iter().min_by_key(|known| distance(known, name))?;
    let near = distance(nearest, name).min(distance(nearest, first)) <= 3;
    let shaped = first == name && name.contains(['-', '_']) && name.starts_with(char::is_alphabetic);
    (near || shaped).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_run_in_the_order_of_their_full_names() {
        let files = Files::embedded(&[("20250102_b.sql", ""), ("20250102_a.sql", ""), ("20250101_z.sql", "")]).unwrap();
        let names: Vec<_> = files.in_order().iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["20250101_z.sql", "20250102_a.sql", "20250102_b.sql"]);
    }

    #[test]
    fn line_ends_and_trailing_blanks_never_change_a_checksum() {
        let checksum = |text| File::parse("20250101_a.sql".into(), text).unwrap().checksum();
        assert_eq!(checksum("SELECT 1;\nSELECT 2;"), checksum("SELECT 1;  \r\nSELECT 2;\t\r\n\r\n"));
        assert_ne!(checksum("SELECT 1;"), checksum("SELECT 2;"));
    }

    #[test]
    fn a_misspelt_header_is_refused_and_prose_is_not() {
        let parse = |text: &str| File::parse("20250101_a.sql".into(), text);
        for header in [
            "-- oldest_app: 1.2.0",
            "-- oldest-ap: 1.2.0",
            "-- Oldest-App: 1.2.0",
            "-- oldest app: 1.2.0",
            "--oldestapp:1.2.0",
            "-- oldest-app 1.2.0",
            "-- What it does.\n\n-- no-transactions",
            "-- lock-timeout: 5s",
        ] {
            let refused = parse(header).unwrap_err().to_string();
            assert!(refused.contains("the nearest is `-- oldest-app: …`"), "{refused}");
        }
        for prose in [
            "-- People. A person has one account: theirs.",
            "-- Note: row-level security is on.",
            "-- row-level security, by hand",
            "-- ----------\n--\n-- todo",
            "-- The oldest application: gone.",
            "CREATE TABLE a (id int);\n-- oldest_app: 1.2.0",
        ] {
            assert_eq!(parse(prose).unwrap().oldest_app, None);
        }
        assert_eq!(parse("-- Why.\n\n-- oldest-app: 1.2.0\n").unwrap().oldest_app, Some(Version::new(1, 2, 0)));
    }

    #[test]
    fn a_name_without_a_real_date_is_refused() {
        for name in ["users.sql", "20250231_users.sql", "2025011_users.sql", "20250101.sql"] {
            assert!(matches!(File::parse(name.into(), ""), Err(FileError::Name(_))), "{name}");
        }
        assert!(matches!(File::parse("20250101_a.sql".into(), "-- oldest-app: x"), Err(FileError::OldestApp(_))));
    }
}
