//! Where PostgreSQL's programs are.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The oldest major version that the platform runs on.
pub const OLDEST: u32 = 15;

/// Folders that hold one folder a version, each with `bin`.
const DISTRIBUTIONS: [&str; 5] =
    ["/usr/lib/postgresql", "/usr/local/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt", "/usr"];

/// The folder of the programs, and their version.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Holds `postgres`, `initdb`, …
    pub folder: PathBuf,
    /// As `postgres --version` says it, without the distribution's suffix.
    pub version: String,
}

/// No usable programs: what was found instead.
#[derive(Debug, thiserror::Error)]
#[error("found no PostgreSQL {OLDEST} or newer ({})", if self.older.is_empty() { "no `initdb` beside a `postgres`".to_owned() } else { format!("only {}", self.older.join(", ")) })]
pub struct NotFound {
    /// Versions that are too old.
    pub older: Vec<String>,
}

impl Programs {
    /// The programs named by `PG_BIN`, else the newest on `PATH`, by `pg_config`, or in a distribution's folder.
    pub fn find() -> Result<Self, NotFound> {
        if let Some(folder) = env::var_os("PG_BIN") {
            return Self::newest([PathBuf::from(folder)]);
        }
        let on_path = env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
        let distributions = DISTRIBUTIONS.iter().flat_map(|root| fs::read_dir(root).into_iter().flatten().flatten());
        Self::newest(
            on_path.into_iter().chain(told_by_pg_config()).chain(distributions.map(|entry| entry.path().join("bin"))),
        )
    }

    fn newest(folders: impl IntoIterator<Item = PathBuf>) -> Result<Self, NotFound> {
        let holds_both = |folder: &PathBuf| folder.join("initdb").exists() && folder.join("postgres").exists();
        let mut found: Vec<_> = folders.into_iter().filter(holds_both).filter_map(|folder| Self::of(&folder)).collect();
        found.sort_by_key(|(major, _)| *major);
        match found.pop() {
            Some((major, programs)) if major >= OLDEST => Ok(programs),
            older => Err(NotFound { older: older.into_iter().chain(found).map(|(_, p)| p.version).collect() }),
        }
    }

    fn of(folder: &Path) -> Option<(u32, Self)> {
        let said = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
        let said = String::from_utf8(said.stdout).ok()?;
        let version = said.split_whitespace().nth(2)?.to_owned();
        let major = version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
        // `postgres` may be a link: its neighbours are where it really is.
        let folder = folder.join("postgres").canonicalize().ok()?.parent()?.to_owned();
        Some((major, Self { folder, version }))
    }

    /// One of the programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn told_by_pg_config() -> Option<PathBuf> {
    let said = Command::new("pg_config").arg("--bindir").output().ok()?;
    Some(PathBuf::from(String::from_utf8(said.stdout).ok()?.trim()))
}
