//! The stage `workflows`: actionlint reads `.github/workflows`. What their `run:` lines do is tested in
//! `xtask/tests/workflows.rs`.

use crate::{
    stages::{Outcome, Wanted, passed_if},
    tools,
};
use anyhow::Result;

/// Reads all of them; what is wrong is shown with its line.
pub(crate) fn run(_: &Wanted) -> Result<Outcome> {
    let mut actionlint = match tools::actionlint() {
        Ok(command) => command,
        Err(error) => return Ok(Outcome::Skipped(format!("{error:#}"))),
    };
    // Programs that one machine has and another has not would decide what is found.
    Ok(passed_if(actionlint.args(["-shellcheck=", "-pyflakes="]).status()?.success()))
}
