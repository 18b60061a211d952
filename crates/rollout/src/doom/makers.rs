//! What the controllers say that should make the pods.

use super::{Cause, Fact, Sign};
use crate::{observed::name, status};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::apps::v1::{Deployment, ReplicaSet, ReplicaSetCondition},
    apimachinery::pkg::apis::meta::v1::Time,
};

/// Refusals that the same pod meets again and again. Others may pass: a webhook that does not answer, a conflict on a
/// quota's object, a store that is slow.
const REFUSALS: [&str; 4] = [" is forbidden", "denied the request", "is invalid", "violates PodSecurity"];

pub(super) fn of(namespace: &str, deployment: &Deployment, newest: Option<&ReplicaSet>) -> Vec<Sign> {
    let cannot_create = newest.and_then(|set| no_pods(namespace, set)).or_else(|| no_set(namespace, deployment));
    cannot_create.into_iter().chain(deadline(namespace, deployment)).collect()
}

/// Why the ReplicaSet cannot make its pods (`ReplicaFailure`, which helm ignores), doomed or not.
pub(crate) fn failure(set: &ReplicaSet) -> Option<&ReplicaSetCondition> {
    let conditions = set.status.as_ref()?.conditions.as_deref()?;
    conditions.iter().find(|it| is(it.type_.as_ref(), "ReplicaFailure") && is(it.status.as_ref(), "True"))
}

fn no_pods(namespace: &str, set: &ReplicaSet) -> Option<Sign> {
    let failure = failure(set)?;
    let since = at(failure.last_transition_time.as_ref(), "replicaSet.conditions[ReplicaFailure].lastTransitionTime");
    refused(namespace, failure.message.as_deref()?, since?)
}

/// The Deployment cannot make its ReplicaSet.
fn no_set(namespace: &str, deployment: &Deployment) -> Option<Sign> {
    let failure =
        status::condition(deployment, "ReplicaFailure").filter(|it| is(it.status.as_ref(), "True")).or_else(|| {
            status::condition(deployment, "Progressing").filter(|it| is(it.reason.as_ref(), "ReplicaSetCreateError"))
        })?;
    let since = at(failure.last_transition_time.as_ref(), "deployment.conditions[].lastTransitionTime");
    refused(namespace, failure.message.as_deref()?, since?)
}

fn refused(namespace: &str, message: &str, since: Fact) -> Option<Sign> {
    let sign = |cause, evidence, cure| Some(Sign { cause, evidence, since, patience: SignedDuration::ZERO, cure });
    if let Some((_, quota)) = message.split_once("exceeded quota: ") {
        let cure = format!("raise the quota, or delete what takes its room: `kubectl -n {namespace} describe quota`");
        return sign(Cause::Quota, format!("exceeded quota: {quota}"), cure);
    }
    let is_refused = REFUSALS.iter().any(|words| message.contains(words));
    let cure = "change the pod so that it is allowed, or the rule that forbids it".to_owned();
    if is_refused { sign(Cause::Refused, format!("the pod is refused: {message}"), cure) } else { None }
}

/// What `kubectl rollout status` ends with.
fn deadline(namespace: &str, deployment: &Deployment) -> Option<Sign> {
    let progress = status::condition(deployment, "Progressing")?;
    if !is(progress.reason.as_ref(), "ProgressDeadlineExceeded") {
        return None;
    }
    let seconds = deployment.spec.progress_deadline_seconds.unwrap_or(600);
    let name = name(&deployment.metadata);
    Some(Sign {
        cause: Cause::DeadlineExceeded,
        evidence: format!("no progress in {seconds} s (progressDeadlineSeconds)"),
        since: at(progress.last_transition_time.as_ref(), "deployment.conditions[Progressing].lastTransitionTime")?,
        patience: SignedDuration::ZERO,
        cure: format!("read `kubectl -n {namespace} describe deployment {name}` and its pods"),
    })
}

fn is(word: Option<&String>, wanted: &str) -> bool {
    word.is_some_and(|word| word == wanted)
}

/// A condition always has its time; one without is from no controller.
fn at(time: Option<&Time>, field: &'static str) -> Option<Fact> {
    let at: Timestamp = time?.0;
    Some(Fact::new(at, field))
}
