//! The next version, so that two versions meet: this checkout with `tests/cluster/next.patch`, which brings a column in
//! use, an event and a claim that this version does not know.

use crate::tools::{quietly, target_folder};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const PATCH: &str = "tests/cluster/next.patch";
const VERSION: &str = "0.999.0";

/// A folder with its sources, made anew.
pub(crate) fn source() -> Result<PathBuf> {
    let folder = target_folder()?.join("next");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    copy(&folder)?;
    let patch = Path::new(PATCH).canonicalize().context(PATCH)?;
    // Outside of any repository, or git would look for the paths in that.
    let mut apply = Command::new("git");
    apply
        .args(["apply", "--whitespace=nowarn"])
        .arg(patch)
        .current_dir(&folder)
        .env("GIT_CEILING_DIRECTORIES", &folder);
    quietly(apply.env("GIT_DIR", "/dev/null"))
        .with_context(|| format!("{PATCH} does not fit any more: make it anew, its head says what it is for"))?;
    let manifest = folder.join("Cargo.toml");
    let text = fs::read_to_string(&manifest)?;
    let (before, after) = text.split_once("\nversion = \"").context("Cargo.toml has no version")?;
    let (_, after) = after.split_once('"').context("Cargo.toml has no version")?;
    fs::write(&manifest, format!("{before}\nversion = \"{VERSION}\"{after}"))?;
    let mut lock = Command::new("cargo");
    quietly(lock.args(["update", "--workspace", "--offline", "--quiet"]).current_dir(&folder))
        .context("cargo update")?;
    Ok(folder)
}

/// Every file that git knows or would know.
fn copy(to: &Path) -> Result<()> {
    let listed = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let mut list = Command::new("git").args(listed).stdout(Stdio::piped()).spawn().context("git")?;
    let names = list.stdout.take().context("git")?;
    let mut pack = Command::new("tar");
    pack.args(["--create", "--null", "--ignore-failed-read", "--files-from=-"]).stdin(names).stdout(Stdio::piped());
    let mut pack = pack.stderr(Stdio::null()).spawn().context("tar")?;
    let packed = pack.stdout.take().context("tar")?;
    let unpacked = Command::new("tar").args(["--extract", "--directory"]).arg(to).stdin(packed).status()?;
    let (_, _) = (list.wait()?, pack.wait()?);
    if !unpacked.success() {
        bail!("the sources cannot be copied to {}", to.display());
    }
    Ok(())
}
