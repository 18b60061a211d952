//! The way back: options 1 and 2 of the document's rollback.

use super::{
    Action, Numbers, Plan, Section, Step,
    deploy::{RELEASE, force_conflicts, from, verify},
    gate::{self, Candidate},
    kubectl,
};
use crate::{
    failure::Failure,
    observe::{Observed, Past, Revision},
    programs::helm::Helm,
    request::{Request, Via},
    time,
};
use jiff::SignedDuration;

/// The whole way back, or why there is none.
pub(crate) fn rollback(request: &Request<'_>, to: Option<u32>, observed: &Observed) -> Result<Plan, Failure> {
    if observed.deployed.is_empty() {
        return Err(Failure::refused(format!("nothing is deployed in {}", request.name))
            .cured_by(format!("runbook deploy {} --version X.Y.Z", request.the_same_way())));
    }
    if let (Some(unseen), None) = (&observed.unseen, request.reason) {
        return Err(Failure::refused("whether an older version can start on the schema could not be asked")
            .because(unseen.clone())
            .cured_by("… --reason \"WHY IT HAS TO BE TRIED\""));
    }
    let has_release = observed.helm.newest().is_some();
    let via = request.via.unwrap_or(if has_release { Via::Helm } else { Via::Kubectl });
    let request = &Request { via: Some(via), ..*request };
    match via {
        Via::Helm => by_helm(request, to, observed),
        Via::Kubectl => by_kubectl(request, to, observed),
    }
}

fn by_helm(request: &Request<'_>, to: Option<u32>, observed: &Observed) -> Result<Plan, Failure> {
    let target = match to {
        Some(number) => observed.helm.revision(number).ok_or_else(|| {
            Failure::refused(format!("helm remembers no revision {number} of {RELEASE}"))
                .cured_by(Helm(request.cluster).call(["history", RELEASE, "-n", &request.cluster.namespace]).literal())
        })?,
        None => target(observed).ok_or_else(|| no_target(request))?,
    };
    let Revision { number, version, schema_needs, .. } = target;
    if let Some(schema) = &observed.schema {
        gate::may_run(request.name, schema, &Candidate { version, schema_needs: schema_needs.as_deref() })?;
    }
    let heal = heal(request, observed)?;
    let numbers = numbers(observed, heal.as_ref());
    let command = Helm(request.cluster).call(["history", RELEASE, "-n", &request.cluster.namespace]).literal();
    let does = Action::HelmHistory { release: RELEASE.to_owned() };
    let history = Step::new(Section::Rollback, "rollback.1.history", "Check deployment history", command, does);
    let back = [helm_step(request, target, (numbers, None), force_conflicts(observed)?), kubectl::settle(request)];
    let steps = std::iter::once(history).chain(heal).chain(back);
    Ok(plan(request, version, &format!(" --to {number}"), steps.collect(), observed))
}

/// What the revision after the plan is known by, and after what heals helm first.
pub(super) fn numbers(observed: &Observed, heal: Option<&Step>) -> Numbers {
    let healed_to = heal.and_then(|step| if let Action::HelmHeal { to, .. } = step.does { Some(to) } else { None });
    Numbers { from: observed.helm.next() + u32::from(heal.is_some()), healed_to }
}

/// Back to a revision, by one with these numbers; it may leave what this plan deploys.
fn helm_step(
    request: &Request<'_>,
    target: &Revision,
    (numbers, leaves): (Numbers, Option<&str>),
    force_conflicts: bool,
) -> Step {
    let Revision { number, version, .. } = target;
    let title = format!("Rollback to revision {number}, which is {version}");
    let command = Helm(request.cluster).rollback(RELEASE, *number, force_conflicts).literal();
    let (release, to, version) = (RELEASE.to_owned(), *number, version.clone());
    let does =
        Action::HelmRollback { release, to, version, leaves: leaves.map(str::to_owned), numbers, force_conflicts };
    Step::new(Section::Rollback, "rollback.2.helm", &title, command, does)
}

fn by_kubectl(request: &Request<'_>, to: Option<u32>, observed: &Observed) -> Result<Plan, Failure> {
    if to.is_some() {
        return Err(Failure::usage("--to is a revision of helm; Deployments are numbered one by one")
            .because("each service has its own numbers: the newest with another image is taken")
            .cured_by(format!("runbook rollback {}", request.the_same_way())));
    }
    let target = kubectl::target(request, observed).ok_or_else(|| no_target(request))?;
    let mut steps = vec![kubectl::history(request)];
    for (name, deployed) in &observed.deployed {
        if deployed.version() == target {
            continue;
        }
        let Some(Past { revision, image, schema_needs }) = kubectl::past(deployed, &target) else { continue };
        if let Some(schema) = &observed.schema {
            let candidate = Candidate { version: &target, schema_needs: schema_needs.as_deref() };
            gate::may_run(&request.the_same_way(), schema, &candidate)?;
        }
        steps.push(kubectl::undo_step(request, name, *revision, image));
    }
    steps.push(kubectl::settle(request));
    Ok(plan(request, &target, " --via kubectl", steps, observed))
}

fn plan(request: &Request<'_>, version: &str, words: &str, mut steps: Vec<Step>, observed: &Observed) -> Plan {
    steps.extend(verify(request, version));
    let mut notices = vec![];
    if let Some(unseen) = &observed.unseen {
        notices.push(format!("whether it can start on the schema was not asked: {unseen}"));
    }
    if steps.iter().any(|step| matches!(step.does, Action::Undo { .. })) && observed.helm.newest().is_some() {
        let notice =
            format!("{RELEASE} is a release of helm: after a change by kubectl its history no longer says what runs");
        notices.push(notice);
    }
    Plan {
        environment: request.name.to_owned(),
        command: format!("runbook rollback {}{words}", request.name),
        from: from(observed),
        version: version.to_owned(),
        notices,
        steps,
        back: vec![],
        no_back: None,
    }
}

/// The last revision that this tool has seen to work, else the last that helm did, with another version than the newest: what failed is what
/// people want to leave.
pub(super) fn target(observed: &Observed) -> Option<&Revision> {
    let newest = observed.helm.newest()?;
    let is_other = |revision: &&Revision| {
        revision.number < newest.number
            && revision.version != newest.version
            && !observed.blocked.contains_key(&revision.version)
    };
    let verified = observed.verified.iter().rev().filter_map(|number| observed.helm.revision(*number)).find(is_other);
    let worked = |revision: &&Revision| ["superseded", "deployed"].contains(&revision.status.as_str());
    verified.or_else(|| observed.helm.revisions.iter().rev().filter(is_other).find(worked))
}

fn no_target(request: &Request<'_>) -> Failure {
    Failure::refused(format!("there is no earlier version of {} to go back to", request.name))
        .because("no revision that worked has another version than the one that serves")
        .cured_by(format!("runbook deploy {} --version X.Y.Z", request.the_same_way()))
}

/// What a deployment by helm does when it fails: what serves now, once more. None: it is the first.
///
/// # Errors
///
/// Refused, with the ways out: after the deployment's migrations it could not start.
pub(super) fn way_back_by_helm(
    request: &Request<'_>,
    version: &str,
    observed: &Observed,
) -> Result<Vec<Step>, Failure> {
    let Some(serving) = observed.helm.serving() else { return Ok(vec![]) };
    let candidate = Candidate { version: &serving.version, schema_needs: serving.schema_needs.as_deref() };
    gate::may_go_back(request.name, observed.schema.as_ref(), &candidate)?;
    // Whatever number the upgrade took, if it took one: any revision from now on that is this one again will do.
    let numbers = numbers(observed, None);
    let back = helm_step(request, serving, (numbers, Some(version)), force_conflicts(observed)?);
    Ok(vec![back, kubectl::settle(request)])
}

/// A helm that waits for three Deployments one after the other, ten minutes each, is done by then.
const LONGEST: SignedDuration = SignedDuration::from_mins(30);

/// helm was killed in the middle, and refuses everything until its last revision has an end. It is taken back to what
/// serves, or gone on with where the schema has left that behind, and nothing of helm's memory is deleted. No other run is at it, or this one would not have the lock; a helm
/// that somebody typed may be, until it is too old or somebody says that it is not.
pub(super) fn heal(request: &Request<'_>, observed: &Observed) -> Result<Option<Step>, Failure> {
    let Some(pending) = observed.helm.newest().filter(|newest| newest.is_pending()) else { return Ok(None) };
    let (number, status) = (pending.number, &pending.status);
    let Some(serving) = observed.helm.serving() else {
        return Err(Failure::refused(format!("revision {number} is {status}, and no other was ever rolled out"))
            .because("there is nothing to take it back to; a run of this tool that was interrupted is gone on with by runbook resume RUN")
            .cured_by(Helm(request.cluster).call(["uninstall", RELEASE, "-n", &request.cluster.namespace]).literal()));
    };
    if request.made_at.duration_since(pending.updated) < LONGEST && request.reason.is_none() {
        let since = time::distance(pending.updated, request.made_at);
        return Err(Failure::refused(format!("revision {number} is {status} since {since}: a helm may still be at it"))
            .because("two helms at one release leave it in pieces; a run of this tool that was interrupted is gone on with by runbook resume RUN")
            .cured_by("… --reason \"THAT HELM IS GONE\""));
    }
    let can_start = |revision: &Revision| {
        let candidate = Candidate { version: &revision.version, schema_needs: revision.schema_needs.as_deref() };
        observed.schema.as_ref().is_none_or(|schema| gate::may_run(request.name, schema, &candidate).is_ok())
    };
    let serves = serving.number;
    let (to, how) = if can_start(serving) || !can_start(pending) {
        (serves, format!("back to {serves}"))
    } else {
        (number, format!("on with it, as {serves} could not start any more"))
    };
    let title = format!("Revision {number} is {status}, and whoever began it is gone: {how}");
    let force_conflicts = force_conflicts(observed)?;
    let command = Helm(request.cluster).rollback(RELEASE, to, force_conflicts).literal();
    let does = Action::HelmHeal { release: RELEASE.to_owned(), revision: number, to, force_conflicts };
    Ok(Some(Step::new(Section::Deploy, "4.heal", &title, command, does)))
}
