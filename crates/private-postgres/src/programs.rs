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

/// No usable programs: what was found instead, and where.
#[derive(Debug, thiserror::Error)]
#[error("found no PostgreSQL {OLDEST} or newer ({}); looked in {}", self.instead(), self.looked.join(", "))]
pub struct NotFound {
    /// Versions that are too old.
    pub older: Vec<String>,
    /// The folders, `*` for any.
    pub looked: Vec<String>,
}

impl NotFound {
    fn instead(&self) -> String {
        match &*self.older {
            [] => "no `initdb` beside a `postgres`".to_owned(),
            older => format!("only {}", older.join(", ")),
        }
    }
}

impl Programs {
    /// The programs named by `PG_BIN`, else the newest on `PATH`, by `pg_config`, or in a distribution's folder.
    pub fn find() -> Result<Self, NotFound> {
        if let Some(folder) = env::var_os("PG_BIN") {
            return Self::newest(&[PathBuf::from(folder)], &[]);
        }
        let mut folders: Vec<_> = env::var_os("PATH").iter().flat_map(env::split_paths).collect();
        folders.extend(told_by_pg_config().filter(|told| !folders.contains(told)));
        Self::newest(&folders, &DISTRIBUTIONS)
    }

    /// The newest in these folders, or in `bin` of a folder in one of these roots.
    fn newest(folders: &[PathBuf], roots: &[&str]) -> Result<Self, NotFound> {
        let in_roots = roots.iter().flat_map(|root| fs::read_dir(root).into_iter().flatten().flatten());
        let all = folders.iter().cloned().chain(in_roots.map(|entry| entry.path().join("bin")));
        let holds_both = |folder: &PathBuf| folder.join("initdb").exists() && folder.join("postgres").exists();
        let mut found: Vec<_> = all.filter(holds_both).filter_map(|folder| Self::of(&folder)).collect();
        found.sort_by_key(|(major, _)| *major);
        match found.pop() {
            Some((major, programs)) if major >= OLDEST => Ok(programs),
            newest => {
                let looked = folders.iter().map(|folder| folder.display().to_string());
                Err(NotFound {
                    older: newest.into_iter().chain(found).map(|(_, programs)| programs.version).collect(),
                    looked: looked.chain(roots.iter().map(|root| format!("{root}/*/bin"))).collect(),
                })
            }
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
    let folder = PathBuf::from(String::from_utf8(said.stdout).ok()?.trim());
    folder.is_absolute().then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn who_finds_no_programs_is_told_where_they_were_looked_for() {
        let absent = Programs::newest(&["/none/bin".into(), "/nor/here".into()], &["/no/root"]).unwrap_err();
        let said = "found no PostgreSQL 15 or newer (no `initdb` beside a `postgres`); \
                    looked in /none/bin, /nor/here, /no/root/*/bin";
        assert_eq!(absent.to_string(), said);
    }

    #[test]
    fn who_has_only_an_old_version_is_told_which() {
        let folder = env::temp_dir().join(format!("private-postgres-old-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for name in ["initdb", "postgres"] {
            fs::write(folder.join(name), "#!/bin/sh\necho 'postgres (PostgreSQL) 14.9'\n").unwrap();
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let absent = Programs::newest(std::slice::from_ref(&folder), &[]).unwrap_err();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(absent.older, ["14.9"]);
        assert!(absent.to_string().contains("(only 14.9)"), "{absent}");
    }
}
