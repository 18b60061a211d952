//! Steps 3 to 6 for a version.

use super::{Action, NoBack, OnFailure, Plan, Release, Section, Step, kubectl, migrations, rollback};
use crate::{
    failure::Failure,
    observe::Observed,
    programs::{helm, helm::Helm},
    request::{Request, Via},
};
use semver::Version;
use std::path::Path;

/// As the document calls it.
pub(crate) const RELEASE: &str = "api-platform";
/// Where it is.
pub(crate) const CHART: &str = "helm/api-platform";

/// The whole change that brings a version, or why there is none.
pub(crate) fn deploy(request: &Request<'_>, version: &Version, observed: &Observed) -> Result<Plan, Failure> {
    let wanted = version.to_string();
    refuse_blocked(request, &wanted, observed)?;
    let via = request.via.unwrap_or(Via::Helm);
    if is_there(request, &wanted, observed, via) {
        let what = format!("{} is at {wanted} already", request.name);
        return Err(Failure::nothing_to_do(what).cured_by(format!("runbook verify {}", request.name)));
    }
    refuse_images(request, &wanted, observed)?;
    let mut steps = migrations::steps(request, &wanted, observed)?;
    let back = match via {
        Via::Helm => {
            steps.extend(by_helm(request, &wanted, observed)?);
            rollback::way_back_by_helm(request, &wanted, observed)
        }
        Via::Kubectl => {
            steps.extend(kubectl::deploy(request, &wanted, observed)?);
            kubectl::way_back(request, observed)
        }
    };
    let (back, no_back) = match back {
        Ok(back) => (back, None),
        Err(refused) => (vec![], Some(NoBack { why: refused.what, ways_out: refused.why.unwrap_or_default() })),
    };
    let mut notices = notices(request, observed, via);
    if let Some(NoBack { why, .. }) = &no_back {
        notices.push(format!("should the rollout fail there is no automatic way back: {why}"));
        steps.iter_mut().filter(|step| step.on_failure == OnFailure::GoBack).for_each(|step| step.undone_by = None);
    }
    steps.extend(verify(request, &wanted));
    let words = if via == Via::Kubectl { " --via kubectl" } else { "" };
    Ok(Plan {
        environment: request.name.to_owned(),
        command: format!("runbook deploy {} --version {wanted}{words}", request.name),
        notices,
        from: from(observed),
        version: wanted,
        steps,
        back,
        no_back,
    })
}

/// What serves now; none where services differ, or none is there.
pub(super) fn from(observed: &Observed) -> Option<String> {
    let mut versions: Vec<_> = observed.deployed.values().map(|deployed| deployed.version().to_owned()).collect();
    versions.dedup();
    if versions.len() == 1 { versions.pop() } else { None }
}

fn refuse_blocked(request: &Request<'_>, version: &str, observed: &Observed) -> Result<(), Failure> {
    match observed.blocked.get(version) {
        Some(why) if request.reason.is_none() => {
            let what = format!("{version} was rolled back from {}: {why}", request.name);
            Err(Failure::refused(what)
                .because("what was wrong with it still is, unless something else changed")
                .cured_by(format!(
                    "runbook deploy {} --version {version} --reason \"WHY IT WORKS NOW\"",
                    request.the_same_way()
                )))
        }
        _ => Ok(()),
    }
}

/// A version whose pods could not start, or would be something else than its commit: its migrations would be applied by then.
fn refuse_images(request: &Request<'_>, version: &str, observed: &Observed) -> Result<(), Failure> {
    for (image, published) in observed.images.iter().flatten() {
        let Some(published) = published else {
            return Err(Failure::refused(format!("{image} is not in its registry"))
                .because("its pods would never start, and the database would be migrated by then")
                .cured_by(format!("runbook build {} --version {version}", request.name)));
        };
        let Some(commit) = observed.commit.as_ref().filter(|commit| published.revision.as_ref() != Some(commit)) else {
            continue;
        };
        let revision = published.revision.as_deref().unwrap_or("a commit that it does not name");
        return Err(Failure::refused(format!("{image} is of {revision}, and {version} is {commit}"))
            .because("what would run is not what this version's migrations and chart belong to")
            .cured_by("runbook version --write    # then: runbook build and deploy the next version"));
    }
    Ok(())
}

/// Every service runs it, nothing is pending, and helm has no unfinished business.
fn is_there(request: &Request<'_>, version: &str, observed: &Observed, via: Via) -> bool {
    let runs = |(name, service): &(String, runbook_file::Service)| {
        observed.deployed.get(name).is_some_and(|deployed| deployed.image == request.image(service, version))
    };
    let is_clean = observed.schema.as_ref().is_none_or(|schema| schema.pending.is_empty());
    let newest = observed.helm.newest();
    let helm_agrees =
        via == Via::Kubectl || newest.is_some_and(|newest| newest.status == "deployed" && newest.version == version);
    request.services.iter().all(runs) && is_clean && helm_agrees
}

fn notices(request: &Request<'_>, observed: &Observed, via: Via) -> Vec<String> {
    let mut notices = vec![];
    if via == Via::Kubectl && observed.helm.newest().is_some() {
        notices.push(format!(
            "{RELEASE} is a release of helm: after a change by kubectl its history no longer says what runs"
        ));
    }
    if observed.deployed.is_empty() {
        notices.push("a first deployment: there is nothing to go back to should it fail".to_owned());
    }
    if observed.images.is_none() {
        let name = request.name;
        notices
            .push(format!("runbook.toml names no registry for {name}: whether the images are there is not looked at"));
    }
    if request.environment.database.is_none() {
        notices.push("runbook.toml names no database: whether the schema fits is not looked at".to_owned());
    }
    notices
}

/// Step 4 as recommended.
fn by_helm(request: &Request<'_>, version: &str, observed: &Observed) -> Result<Vec<Step>, Failure> {
    if request.environment.values.is_empty() {
        return Err(Failure::refused(format!("{} has no values for helm", request.name)).cured_by(format!(
            "in runbook.toml, in [environments.{}]: values = \"helm/values-prod.yaml\"",
            request.name
        )));
    }
    let release = release(request, observed)?;
    let helm = Helm(request.cluster);
    let set = helm::set(version, request.repository().as_deref());
    let force_conflicts = force_conflicts(observed)?;
    let heal = rollback::heal(request, observed)?;
    let numbers = rollback::numbers(observed, heal.as_ref());
    let serving = observed.helm.serving();
    let step = |id, title, command, does| Step::new(Section::Deploy, id, title, command, does);
    let chart = Path::new(CHART).to_owned();
    let lint = step("4.2.lint", "Validate Helm chart", helm::lint(CHART).literal(), Action::HelmLint { chart });
    let template = helm.template(&release, &set).literal();
    let render = Action::HelmTemplate { release: release.clone(), version: version.to_owned() };
    let template = step("4.2.template", "What will differ", template, render);
    let upgrade = Step {
        undone_by: serving.map(|serving| helm.rollback(&release.name, serving.number, force_conflicts).literal()),
        on_failure: OnFailure::GoBack,
        ..step(
            "4.3.upgrade",
            "Deploy with rolling update strategy",
            helm.upgrade(&release, &set, force_conflicts).literal(),
            Action::HelmUpgrade { release: release.clone(), version: version.to_owned(), numbers, force_conflicts },
        )
    };
    Ok([lint, template].into_iter().chain(heal).chain([upgrade, rollout(request)]).collect())
}

fn release(request: &Request<'_>, observed: &Observed) -> Result<Release, Failure> {
    let values = request.environment.values.iter().map(|path| observed.pinned(path));
    let (name, chart) = (RELEASE.to_owned(), observed.pinned(Path::new(CHART))?);
    Ok(Release { name, chart, values: values.collect::<Result<_, _>>()? })
}

/// helm 4 applies server-side, and takes a field from its owner only when told. It is told when the owners are the
/// document's own kubectl lines; others have their reasons, which nobody here knows.
pub(super) fn force_conflicts(observed: &Observed) -> Result<bool, Failure> {
    const OURS: [&str; 3] = ["kubectl-client-side-apply", "kubectl-rollout", "kubectl-set"];
    if observed.helm.major < 4 {
        return Ok(false);
    }
    let takers: Vec<_> = observed.deployed.values().flat_map(|deployed| &deployed.taken_by).collect();
    if let Some(other) = takers.iter().find(|taker| !OURS.contains(&taker.as_str())) {
        return Err(Failure::refused(format!("{other} owns fields of the Deployments that helm would change"))
            .because("helm 4 applies server-side, and would take them away from it")
            .cured_by("kubectl get deployments --show-managed-fields -o yaml"));
    }
    Ok(!takers.is_empty())
}

/// Step 4.4.
pub(super) fn rollout(request: &Request<'_>) -> Step {
    let kubectl = crate::programs::kubectl::Kubectl(request.cluster);
    let lines: Vec<_> = request.services.iter().map(|(name, _)| kubectl.rollout_status(name).literal()).collect();
    let does = Action::Rollout { services: request.service_names() };
    let (id, title) = ("4.4.rollout", "Monitor deployment progress");
    let step = Step::new(Section::Deploy, id, title, lines.join("\n"), does);
    Step { on_failure: OnFailure::GoBack, ..step }
}

/// Steps 5 and 6.
pub(crate) fn verify(request: &Request<'_>, version: &str) -> Vec<Step> {
    let url = request.environment.url.trim_end_matches('/');
    let namespace = &request.cluster.namespace;
    let kubectl = crate::programs::kubectl::Kubectl(request.cluster);
    let step = |id, title, command, does| Step::new(Section::Verify, id, title, command, does);
    let version = version.to_owned();
    let login = format!(
        "curl -X POST {url}/v1/auth/login -H \"Content-Type: application/json\" -d '{{\"email\":\"test@example.com\",\"password\":\"test123\"}}'\n\
         curl {url}/v1/users?limit=5 -H \"Authorization: Bearer $TEST_TOKEN\""
    );
    let logs: Vec<_> = request.services.iter().map(|(name, _)| kubectl.logs(name).literal()).collect();
    let pods = kubectl.call(["get", "pods", "-n", namespace]).literal();
    let health = Action::Health { version: version.clone() };
    let metrics = format!("/api/v1/namespaces/{namespace}/pods/POD:9090/proxy/metrics");
    let metrics = kubectl.call(["get", "--raw", &metrics]).literal();
    let smoke = smoke_line(request);
    vec![
        step("5.1.pods", "Check pod status", pods, Action::Pods { version }),
        step("5.2.health", "Check service health endpoints", format!("curl {url}/v1/health"), health),
        step("5.3.endpoints", "Test critical endpoints", login, Action::Endpoints),
        step("5.4.logs", "Check application logs", logs.join("\n"), Action::Logs),
        step("5.5.metrics", "Verify metrics", metrics, Action::Metrics),
        Step::new(Section::Smoke, "6.smoke", "Run automated smoke test suite", smoke, Action::Smoke),
    ]
}

fn smoke_line(request: &Request<'_>) -> String {
    format!("npm run test:smoke -- --env={}", request.name)
}
