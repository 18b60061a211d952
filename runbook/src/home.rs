//! `~` in paths of `runbook.toml`.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The path with the home folder in the place of `~`.
pub(crate) fn expand(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), env::var_os("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => path.to_owned(),
    }
}
