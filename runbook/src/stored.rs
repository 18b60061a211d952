//! Plans that were shown and may be applied later, by their hash.

use crate::{failure::Failure, plan::Plan};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fs, path::Path};

const FOLDER: &str = ".runbook/plans";

/// A plan, and when it was made: names in it have that moment.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) made_at: Timestamp,
    pub(crate) plan: Plan,
}

/// Keeps it under its hash.
pub(crate) fn write(project: &Path, stored: &Stored) -> Result<(), Failure> {
    crate::journal::folder(project)?;
    let folder = project.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|error| Failure::of_file(&folder, &error))?;
    let path = folder.join(format!("{}.json", stored.plan.hash()));
    let text = serde_json::to_vec_pretty(stored).map_err(|error| Failure::failed(error.to_string()))?;
    fs::write(&path, text).map_err(|error| Failure::of_file(&path, &error))
}

/// The plan of a hash.
pub(crate) fn read(project: &Path, hash: &str) -> Result<Stored, Failure> {
    let missing =
        || Failure::refused(format!("there is no plan {hash} here")).cured_by("runbook plan ENV --version X.Y.Z");
    if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(missing().because("a plan's hash is the 64 digits that `runbook plan` printed last"));
    }
    let text = fs::read(project.join(FOLDER).join(format!("{hash}.json"))).map_err(|_| missing())?;
    let stored = serde_json::from_slice::<Stored>(&text).ok().filter(|stored| stored.plan.hash() == hash);
    stored.ok_or_else(|| {
        Failure::refused(format!("the file of the plan {hash} is not what `runbook plan` wrote"))
            .because("it was changed, or another version of runbook wrote it")
            .cured_by("runbook plan ENV --version X.Y.Z")
    })
}
