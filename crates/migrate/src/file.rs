//! Migration files: names, texts, checksums.

use crate::{
    Backfill,
    header::{self, Header},
};
use aws_lc_rs::digest::{SHA256, digest};
use semver::Version;
use std::{collections::BTreeMap, io, path::Path};

/// A file as it will run.
#[derive(Debug, Clone)]
pub struct File {
    /// `YYYYMMDD_name.sql`.
    pub name: String,
    /// What runs.
    pub sql: String,
    /// The oldest image that can run after it (`-- oldest-app: X.Y.Z`); none: any.
    pub oldest_app: Option<Version>,
    /// Whether its statements run one by one, each on its own (`-- no-transaction`).
    pub no_transaction: bool,
    /// Backfills that must be done before it (`-- needs-backfill: NAME`).
    pub needs_backfills: Vec<String>,
    /// What undoes it (`YYYYMMDD_name.down.sql`).
    pub down: Option<String>,
}

/// The files of a version of the platform, in order, and its backfills.
#[derive(Debug, Clone, Default)]
pub struct Files {
    files: Vec<File>,
    backfills: Vec<Backfill>,
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The name has no date.
    #[error("{0}: a migration is named YYYYMMDD_name.sql, with a date that exists")]
    Name(String),
    /// A header that cannot be used.
    #[error("{0}: {1}")]
    Header(String, String),
    /// A `.down.sql` without its file.
    #[error("{0}: undoes nothing, there is no file of this name without `.down`")]
    Down(String),
    /// A backfill that cannot be used.
    #[error("{BACKFILLS}{0}.sql: {1}")]
    Backfill(String, String),
    /// A file needs a backfill that is not there.
    #[error("{file} needs the backfill {name}, and there is no {BACKFILLS}{name}.sql")]
    NoBackfill {
        /// The file.
        file: String,
        /// What it names.
        name: String,
    },
    /// The folder or a file cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, #[source] io::Error),
}

impl Files {
    /// From a folder and the folder `backfills` in it, if there is one; only `*.sql` counts.
    pub fn load(folder: &Path) -> Result<Self, FileError> {
        let mut texts = read(folder, "")?;
        let backfills = folder.join(BACKFILLS);
        if backfills.is_dir() {
            texts.extend(read(&backfills, BACKFILLS)?);
        }
        Self::of(texts.iter().map(|(name, text)| (name.as_str(), text.as_str())))
    }

    /// From pairs of name and text, as a binary carries them or git lists them: of paths in the folder of migrations, so
    /// with `backfills/` in front of a backfill's; only `*.sql` counts.
    pub fn embedded(files: &[(&str, &str)]) -> Result<Self, FileError> {
        Self::of(files.iter().copied())
    }

    fn of<'a>(texts: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, FileError> {
        let texts = texts.filter(|(name, _)| is_sql(Path::new(name)));
        let (backfills, files): (Vec<_>, Vec<_>) = texts.partition(|(name, _)| name.starts_with(BACKFILLS));
        let parsed = backfills.into_iter().map(|(name, text)| {
            let name = name.trim_start_matches(BACKFILLS).trim_end_matches(".sql");
            Backfill::parse(name, &normalised(text)).map_err(|problem| FileError::Backfill(name.to_owned(), problem))
        });
        let mut backfills = parsed.collect::<Result<Vec<_>, _>>()?;
        backfills.sort_by(|a, b| a.name.cmp(&b.name));
        let (downs, ups): (Vec<_>, Vec<_>) = files.into_iter().partition(|(name, _)| name.ends_with(DOWN));
        let undone = |(name, text): (&str, &str)| (name.replace(DOWN, ".sql"), normalised(text));
        let mut downs: BTreeMap<_, _> = downs.into_iter().map(undone).collect();
        let mut files = Vec::with_capacity(ups.len());
        for (name, text) in ups {
            files.push(File { down: downs.remove(name), ..File::parse(name.to_owned(), text)? });
        }
        if let Some((name, _)) = downs.pop_first() {
            return Err(FileError::Down(name.replace(".sql", DOWN)));
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let files = Self { files, backfills };
        let needed = files.files.iter().flat_map(|file| file.needs_backfills.iter().map(move |name| (file, name)));
        if let Some((file, name)) = needed.into_iter().find(|(_, name)| files.backfill(name).is_none()) {
            return Err(FileError::NoBackfill { file: file.name.clone(), name: name.clone() });
        }
        Ok(files)
    }

    /// In the order in which they run.
    pub fn in_order(&self) -> &[File] {
        &self.files
    }

    /// In the order of their names.
    pub fn backfills(&self) -> &[Backfill] {
        &self.backfills
    }

    /// The backfill of this name.
    pub fn backfill(&self, name: &str) -> Option<&Backfill> {
        self.backfills.iter().find(|backfill| backfill.name == name)
    }

    /// The files whose name is wanted, and all backfills.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let files = self.files.iter().filter(|file| wanted(&file.name)).cloned().collect();
        Self { files, backfills: self.backfills.clone() }
    }

    /// The name of the newest, which is what a binary that carries them needs.
    pub fn newest(&self) -> Option<&str> {
        self.files.last().map(|file| file.name.as_str())
    }
}

impl File {
    fn parse(name: String, text: &str) -> Result<Self, FileError> {
        if !has_date(&name) {
            return Err(FileError::Name(name));
        }
        let sql = normalised(text);
        let Header { oldest_app, no_transaction, needs_backfills } =
            header::parse(&sql).map_err(|problem| FileError::Header(name.clone(), problem.to_string()))?;
        Ok(Self { name, sql, oldest_app, no_transaction, needs_backfills, down: None })
    }

    /// SHA-256 of the normalised text, in hexadecimal.
    pub fn checksum(&self) -> String {
        checksum(&self.sql)
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn checksum(text: &str) -> String {
    hex::encode(digest(&SHA256, text.as_bytes()))
}

/// Whether a name begins with a date that exists.
pub(crate) fn has_date(name: &str) -> bool {
    let date = name.split_once('_').map(|(date, _)| date).filter(|date| date.len() == 8);
    date.is_some_and(|date| jiff::civil::Date::strptime("%Y%m%d", date).is_ok())
}

/// What is beside the files, as a README, is none.
fn is_sql(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "sql")
}

/// Names and texts of a folder's files, each name with something in front.
fn read(folder: &Path, before: &str) -> Result<Vec<(String, String)>, FileError> {
    let unreadable = |path: &Path| {
        let path = path.display().to_string();
        move |error| FileError::Unreadable(path, error)
    };
    let mut texts = Vec::new();
    for entry in folder.read_dir().map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        if is_sql(&path) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            texts.push((format!("{before}{name}"), std::fs::read_to_string(&path).map_err(unreadable(&path))?));
        }
    }
    Ok(texts)
}

/// How the name of a file that undoes another ends.
pub(crate) const DOWN: &str = ".down.sql";

/// The folder of the backfills.
const BACKFILLS: &str = "backfills/";

/// Line ends and trailing blanks are an editor's business, not a change.
fn normalised(text: &str) -> String {
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
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
    fn a_file_knows_what_undoes_it_and_one_that_undoes_nothing_is_refused() {
        let files = Files::embedded(&[("20250101_a.down.sql", "DROP TABLE a;  "), ("20250101_a.sql", "")]).unwrap();
        assert_eq!(files.in_order()[0].down.as_deref(), Some("DROP TABLE a;"));
        assert_eq!((files.in_order().len(), files.newest()), (1, Some("20250101_a.sql")));
        let alone = Files::embedded(&[("20250101_a.down.sql", "")]).unwrap_err().to_string();
        assert!(alone.starts_with("20250101_a.down.sql: undoes nothing"), "{alone}");
    }

    #[test]
    fn a_file_that_needs_a_backfill_that_is_not_there_is_refused() {
        let needs = ("20250102_b.sql", "-- needs-backfill: 20250101_fill");
        let absent = Files::embedded(&[needs]).unwrap_err().to_string();
        assert!(absent.contains("there is no backfills/20250101_fill.sql"), "{absent}");
        let fill = "-- table: a\n-- key: id\nUPDATE a SET b = 1 WHERE id BETWEEN $1 AND $2";
        let files = Files::embedded(&[needs, ("backfills/20250101_fill.sql", fill)]).unwrap();
        assert_eq!((files.in_order().len(), files.newest()), (1, Some("20250102_b.sql")));
        assert!(files.backfill("20250101_fill").is_some());
    }

    #[test]
    fn pairs_of_name_and_text_are_the_same_files_as_the_folder_that_they_are_read_from() {
        let fill = "-- table: a\n-- key: id\nUPDATE a SET b = 1 WHERE id BETWEEN $1 AND $2";
        let pairs = [
            ("20250102_b.sql", "-- needs-backfill: 20250101_fill\nSELECT 2;"),
            ("20250101_a.sql", "CREATE TABLE a (id int PRIMARY KEY, b int)"),
            ("20250101_a.down.sql", "DROP TABLE a"),
            ("backfills/20250101_fill.sql", fill),
            ("README.md", "How files are written."),
        ];
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BACKFILLS)).unwrap();
        for (name, text) in pairs {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let told = |files: Files| (format!("{:?}", files.in_order()), format!("{:?}", files.backfills()));
        let given = told(Files::embedded(&pairs).unwrap());
        assert_eq!(given, told(Files::load(folder.path()).unwrap()));
        assert!(given.0.contains("DROP TABLE a") && given.1.contains("20250101_fill"), "{given:?}");
    }

    #[test]
    fn a_name_without_a_real_date_is_refused() {
        for name in ["users.sql", "20250231_users.sql", "2025011_users.sql", "20250101.sql"] {
            assert!(matches!(File::parse(name.into(), ""), Err(FileError::Name(_))), "{name}");
        }
        let refused = File::parse("20250101_a.sql".into(), "-- oldest-app: x").unwrap_err().to_string();
        assert_eq!(refused, "20250101_a.sql: the header `-- oldest-app:` needs a version as in 1.2.3");
    }
}
