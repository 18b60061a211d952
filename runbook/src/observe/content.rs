//! What a release is made of, by content: what was looked at in a plan is what is applied, also days later.

use crate::{failure::Failure, plan::Pinned};
use aws_lc_rs::digest::{Context, SHA256, digest};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};
use tokio::task::spawn_blocking;

/// The most that is read of one file or folder: a chart, values and manifests are far smaller.
const BYTES: u64 = 64 << 20;
/// The most files and folders that are looked at in one folder.
const ENTRIES: usize = 10_000;

/// SHA-256 of each of these files and folders of a project.
///
/// # Errors
///
/// Refused: one is not there, is far too large, or has a link in it that leads out of it.
pub(crate) async fn observe(project: &Path, paths: Vec<PathBuf>) -> Result<BTreeMap<PathBuf, String>, Failure> {
    let project = project.to_owned();
    let all = move || paths.into_iter().map(|path| sum(&project, &path).map(|sum| (path, sum))).collect();
    // Elsewhere than here, where a lock has to be renewed meanwhile.
    spawn_blocking(all).await.map_err(|error| Failure::failed(error.to_string()))?
}

/// Refuses what is not any more what it was when it was planned; `anew` plans it as it is now.
pub(crate) async fn refuse_changed(project: &Path, planned: &[&Pinned], anew: &str) -> Result<(), Failure> {
    let now = observe(project, planned.iter().map(|pinned| pinned.path.clone()).collect()).await?;
    let changed = planned.iter().filter(|pinned| now.get(&pinned.path) != Some(&pinned.sha256));
    let changed: Vec<_> = changed.map(|pinned| pinned.path.display().to_string()).collect();
    if changed.is_empty() {
        return Ok(());
    }
    Err(Failure::refused(format!("not what was planned any more: {}", changed.join(", ")))
        .because("it was changed since the plan was made, and nobody has seen what that would do")
        .cured_by(format!("git diff -- {}    # put it back, or look at it anew: {anew}", changed.join(" "))))
}

fn sum(project: &Path, path: &Path) -> Result<String, Failure> {
    let whole = project.join(path);
    let unreadable = |error: io::Error| {
        Failure::refused(format!("{} cannot be read: {error}", path.display()))
            .because("a plan names by its content what it applies")
            .cured_by(format!("git status -- {}", path.display()))
    };
    let mut reading = Reading { path, left: BYTES };
    let metadata = fs::metadata(&whole).map_err(unreadable)?;
    let sum = if metadata.is_dir() {
        let root = whole.canonicalize().map_err(unreadable)?;
        reading.folder(&root)
    } else if metadata.is_file() {
        reading.file(&whole).map(|bytes| hex::encode(digest(&SHA256, &bytes)))
    } else {
        Err(NoContent::NoFile(path.to_owned()))
    };
    sum.map_err(|error| match error {
        NoContent::Unreadable(error) => unreadable(error),
        NoContent::NoFile(what) => Failure::refused(format!("{} is neither a file nor a folder", what.display()))
            .cured_by(format!("ls -l {}", what.display())),
        NoContent::LeadsOut(link) => Failure::refused(format!("{} leads out of {}", link.display(), path.display()))
            .because("what is behind a link could change, and the plan's hash would not say so")
            .cured_by(format!("ls -l {}    # and put the file itself there", link.display())),
        NoContent::TooMuch => Failure::refused(format!("{} has too much in it to be applied", path.display()))
            .because(format!("at most {ENTRIES} files with {} MiB are looked at", BYTES >> 20))
            .cured_by(format!("du -a {} | sort -n | tail", path.display())),
    })
}

/// Why a file or a folder has no digest.
enum NoContent {
    Unreadable(io::Error),
    NoFile(PathBuf),
    LeadsOut(PathBuf),
    TooMuch,
}

impl From<io::Error> for NoContent {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

/// One file or folder, while it is read.
struct Reading<'a> {
    /// As it is told to people.
    path: &'a Path,
    /// How many bytes of it may still be read.
    left: u64,
}

impl Reading<'_> {
    /// Over path and content of everything in it, in the order of the paths. Of a link that stays inside it is where it
    /// leads to: what is there is read in its own place.
    fn folder(&mut self, root: &Path) -> Result<String, NoContent> {
        let mut sum = Context::new(&SHA256);
        for name in names(root)? {
            let path = root.join(&name);
            let kind = fs::symlink_metadata(&path)?.file_type();
            let (mark, content) = if kind.is_symlink() {
                (b"l", self.target(root, &path, &name)?)
            } else if kind.is_file() {
                (b"f", self.file(&path)?)
            } else {
                return Err(NoContent::NoFile(self.path.join(name)));
            };
            // Each with its length before it: no two folders are the same text.
            for part in [mark, name.as_os_str().as_encoded_bytes(), &content] {
                sum.update(&(part.len() as u64).to_be_bytes());
                sum.update(part);
            }
        }
        Ok(hex::encode(sum.finish()))
    }

    fn target(&self, root: &Path, link: &Path, name: &Path) -> Result<Vec<u8>, NoContent> {
        let target = link.canonicalize()?;
        let inside = target.strip_prefix(root).map_err(|_| NoContent::LeadsOut(self.path.join(name)))?;
        Ok(inside.as_os_str().as_encoded_bytes().to_vec())
    }

    fn file(&mut self, path: &Path) -> Result<Vec<u8>, NoContent> {
        let mut bytes = vec![];
        File::open(path)?.take(self.left + 1).read_to_end(&mut bytes)?;
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or(NoContent::TooMuch)?;
        Ok(bytes)
    }
}

/// Everything in a folder that is none itself, from the folder on.
fn names(root: &Path) -> Result<BTreeSet<PathBuf>, NoContent> {
    let (mut names, mut folders, mut seen) = (BTreeSet::new(), vec![PathBuf::new()], 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            seen += 1;
            if seen > ENTRIES {
                return Err(NoContent::TooMuch);
            }
            let name = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(name);
            } else {
                names.insert(name);
            }
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
