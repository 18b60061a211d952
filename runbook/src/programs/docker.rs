//! `docker`

use super::Call;

/// Any of its commands.
pub(crate) fn call<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Call {
    Call::new("docker").args(arguments)
}
