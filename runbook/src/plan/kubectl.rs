//! Step 4 and rollback option 2 by kubectl, the document's alternative.

use super::{
    Action, OnFailure, Section, Step,
    deploy::rollout,
    gate::{self, Candidate},
};
use crate::{
    failure::Failure,
    observe::{Deployed, Observed, Past, tag},
    programs::kubectl::Kubectl,
    request::Request,
};

/// Compare and apply the manifests, set the images, and wait. The document names two services; there are three.
pub(super) fn deploy(request: &Request<'_>, version: &str, observed: &Observed) -> Result<Vec<Step>, Failure> {
    let Some(folder) = &request.environment.manifests else {
        return Err(Failure::refused(format!("{} has no manifests for kubectl", request.name))
            .cured_by(format!("in runbook.toml, in [environments.{}]: manifests = \"k8s/production\"", request.name)));
    };
    let kubectl = Kubectl(request.cluster);
    let step = |id: &str, title: &str, command, undone_by, does| Step {
        undone_by,
        on_failure: OnFailure::GoBack,
        ..Step::new(Section::Deploy, id, title, command, does)
    };
    let (path, folder) = (format!("{}/", folder.display()), observed.pinned(folder)?);
    let does = Action::KubectlDiff { folder: folder.clone() };
    let diff = Step::new(Section::Deploy, "4.1.diff", "What will differ", kubectl.diff(&path).literal(), does);
    let (apply, does) = (kubectl.apply(&path).literal(), Action::Apply { folder });
    let mut steps = vec![diff, step("4.1.apply", "Apply Kubernetes manifests", apply, None, does)];
    for (name, service) in request.services {
        let image = request.image(service, version);
        let undo = format!("kubectl rollout undo deployment/{name} -n {}", request.cluster.namespace);
        let line = kubectl.set_image(name, &image).literal();
        let does = Action::SetImage { service: name.clone(), image };
        steps.push(step(&format!("4.2.image.{name}"), &format!("Update the image of {name}"), line, Some(undo), does));
    }
    steps.push(rollout(request));
    Ok(steps)
}

/// Everything as it was before: by the numbers that the Deployments have now. A service that is new stays.
///
/// # Errors
///
/// Refused, with the ways out: after the deployment's migrations one of them could not start.
pub(super) fn way_back(request: &Request<'_>, observed: &Observed) -> Result<Vec<Step>, Failure> {
    let mut steps = vec![];
    for name in request.service_names() {
        let Some(deployed) = observed.deployed.get(&name) else { continue };
        let now = deployed.history.iter().find(|past| past.revision == deployed.revision);
        let schema_needs = now.and_then(|past| past.schema_needs.as_deref());
        let candidate = Candidate { version: deployed.version(), schema_needs };
        gate::may_go_back(&request.the_same_way(), observed.schema.as_ref(), &candidate)?;
        steps.push(undo_step(request, &name, deployed.revision, &deployed.image));
    }
    let settle = (!steps.is_empty()).then(|| settle(request));
    steps.extend(settle);
    Ok(steps)
}

/// One service back to a revision of its Deployment.
pub(super) fn undo_step(request: &Request<'_>, service: &str, to: u64, image: &str) -> Step {
    let (id, title) = (format!("rollback.2.undo.{service}"), format!("Rollback deployment {service}"));
    let command = Kubectl(request.cluster).undo(service, to).literal();
    let does = Action::Undo { service: service.to_owned(), to, image: image.to_owned() };
    Step::new(Section::Rollback, &id, &title, command, does)
}

/// What the document looks at first.
pub(super) fn history(request: &Request<'_>) -> Step {
    let kubectl = Kubectl(request.cluster);
    let lines: Vec<_> = request.services.iter().map(|(name, _)| kubectl.rollout_history(name).literal()).collect();
    let does = Action::RolloutHistory { services: request.service_names() };
    Step::new(Section::Rollback, "rollback.1.history", "View deployment history", lines.join("\n"), does)
}

/// Waits until what was undone is there.
pub(super) fn settle(request: &Request<'_>) -> Step {
    let Step { command, does, .. } = rollout(request);
    Step::new(Section::Rollback, "rollback.3.rollout", "Monitor rollback", command, does)
}

/// The version to go back to: the newest that every service runs or ran, and that not all of them run now. Where a
/// deployment stopped halfway that is the one before it, and services that are still there stay.
pub(super) fn target(request: &Request<'_>, observed: &Observed) -> Option<String> {
    let deployed: Vec<_> = request.service_names().iter().filter_map(|name| observed.deployed.get(name)).collect();
    let first = deployed.first()?;
    let had = |deployed: &Deployed, version: &str| deployed.version() == version || past(deployed, version).is_some();
    let of_first = first.history.iter().rev().map(|past| tag(&past.image));
    let mut candidates = std::iter::once(first.version()).chain(of_first);
    let is_back = |version: &&str| {
        deployed.iter().any(|deployed| deployed.version() != *version)
            && deployed.iter().all(|deployed| had(deployed, version))
            && !observed.blocked.contains_key(*version)
    };
    candidates.find(is_back).map(str::to_owned)
}

/// The newest ReplicaSet of a service with a version.
pub(super) fn past<'a>(deployed: &'a Deployed, version: &str) -> Option<&'a Past> {
    deployed.history.iter().rev().find(|past| tag(&past.image) == version)
}
