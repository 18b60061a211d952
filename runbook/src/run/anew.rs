//! Whether what was planned is what would be planned now.

use super::{Planner, look};
use crate::{
    exit::Exit,
    failure::Failure,
    journal::{Copy, Event, Journal},
    place::Place,
    plan::Plan,
    request::Request,
};
use semver::Version;

/// Refuses another plan than the one that was shown, and names the files that differ.
pub(super) fn refuse_another(shown: &Plan, now: &Plan) -> Result<(), Failure> {
    let (was, is) = (shown.hash(), now.hash());
    if was == is {
        return Ok(());
    }
    let (before, after) = (shown.made_of(), now.made_of());
    let mut changed: Vec<_> = after.iter().filter(|pinned| !before.contains(*pinned)).collect();
    changed.dedup();
    let changed: Vec<_> = changed.iter().map(|pinned| pinned.path.display().to_string()).collect();
    let differs = if changed.is_empty() {
        "something else than the time differs".to_owned()
    } else {
        format!("changed since: {}", changed.join(", "))
    };
    Err(Failure::refused(format!("the plan {} does not fit any more", &was[..12]))
        .because(format!("{differs}; it would be {is} now"))
        .cured_by(now.anew()))
}

/// Looks and plans anew for a run of which nothing was begun: days may have passed since somebody saw its plan. When
/// something else would be done now, or nothing, the run is over.
pub(crate) async fn refuse_outlived(
    place: &Place,
    request: &Request<'_>,
    client: &kube::Client,
    journal: &mut Journal,
    (version, planner): (Option<&Version>, Planner<'_>),
) -> Result<(), Failure> {
    let observed = look(place, request, client, version).await?;
    let fits = match planner(request, &observed) {
        Ok(now) => refuse_another(journal.plan()?, &now),
        Err(failure) => Err(failure),
    };
    let Err(failure) = fits else { return Ok(()) };
    journal.append(Event::ended(Exit::Refused))?;
    // Whoever would still agree to it is told that it is over; here it is, whatever the cluster knows.
    let _ = Copy::new(client.clone()).send(journal).await;
    Err(failure)
}
