//! Images that can never be had.

use super::{Cause, Seen, Sign};
use crate::clock;
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::ContainerStatus;

/// What registries and runtimes say of an image that is not there; anything else about a pull may pass: a registry that
/// is down, a name that does not resolve, a limit on requests.
const NOT_THERE: [&str; 3] = ["not found", "manifest unknown", "name unknown"];

pub(super) fn of(seen: &Seen<'_>, status: &ContainerStatus, reason: &str, message: &str) -> Option<Sign> {
    let image = seen.container(&status.name).and_then(|container| container.image.as_deref()).unwrap_or(&status.image);
    let (cause, evidence, cure) = match reason {
        "ErrImagePull" | "ImagePullBackOff" => {
            let said = Some(message).filter(|said| is_not_there(said)).or_else(|| told(seen))?;
            let evidence = format!("the registry has no image {image}: {}", last_words(said));
            (Cause::ImageNotFound, evidence, "push that tag, or deploy one that is there")
        }
        "InvalidImageName" => {
            let cure = "correct image.repository and image.tag in the values";
            (Cause::InvalidImageName, format!("{image} is not a name of an image"), cure)
        }
        "ErrImageNeverPull" => {
            let cure = "load the image on every node, or set image.pullPolicy to IfNotPresent";
            (Cause::ImageNeverPulled, format!("the node has no image {image}, and it is never pulled"), cure)
        }
        _ => return None,
    };
    let failed =
        seen.told("Failed").find(|(_, said)| said.contains(image)).and_then(|(event, _)| clock::first_seen(event));
    let since = failed.unwrap_or_else(|| seen.seen("containerStatuses[].state.waiting, seen"));
    Some(Sign { cause, evidence, since, patience: SignedDuration::ZERO, cure: cure.to_owned() })
}

fn is_not_there(said: &str) -> bool {
    let said = said.to_lowercase();
    // A resolver's words about the registry's name are not the registry's about the image.
    !said.contains("lookup ") && NOT_THERE.iter().any(|words| said.contains(words))
}

/// While it backs off, an older kubelet says only that it does; its event still has the reason.
fn told<'a>(seen: &Seen<'a>) -> Option<&'a str> {
    seen.told("Failed").map(|(_, said)| said).find(|said| said.contains("pull image") && is_not_there(said))
}

/// Without the errors that it was wrapped in, each of which names the image again.
fn last_words(said: &str) -> &str {
    let parts: Vec<_> = said.rsplit(": ").collect();
    if parts.len() > 1 { said.rfind(parts[0]).map_or(said, |at| &said[at..]) } else { said }
}
