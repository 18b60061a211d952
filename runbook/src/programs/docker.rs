//! `docker`

use super::Call;
use crate::plan::Labelled;
use std::{path::Path, time::Duration};

/// The label that says which commit an image was built from.
pub(crate) const REVISION: &str = "org.opencontainers.image.revision";
/// Everything is compiled in it.
const BUILD_LIMIT: Duration = Duration::from_hours(2);
const PUSH_LIMIT: Duration = Duration::from_mins(30);

/// Any of its commands.
pub(crate) fn call<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Call {
    Call::new("docker").args(arguments)
}

/// Step 2.3, with the commit in the image's label.
pub(crate) fn build(image: &str, dockerfile: &Path, labelled: Labelled, commit: &str) -> Call {
    let call = call(["build", "-t", image, "-f", &dockerfile.display().to_string()]);
    let call = match labelled {
        Labelled::ByArgument => call.args(["--build-arg".to_owned(), format!("REVISION={commit}")]),
        Labelled::ByDocker => call.args(["--label".to_owned(), format!("{REVISION}={commit}")]),
    };
    call.args(["."]).limit(BUILD_LIMIT)
}

/// Step 2.5.
pub(crate) fn push(image: &str) -> Call {
    call(["push", image]).limit(PUSH_LIMIT)
}

/// What the label of an image of this machine says.
pub(crate) fn revision(image: &str) -> Call {
    let format = format!("{{{{index .Config.Labels \"{REVISION}\"}}}}");
    call(["image", "inspect", "--format", &format, image])
}
