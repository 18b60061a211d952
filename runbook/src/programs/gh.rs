//! `gh`

use super::Call;

/// Any of its commands.
pub(crate) fn call<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Call {
    Call::new("gh").args(arguments).env("GH_PROMPT_DISABLED", "1")
}
