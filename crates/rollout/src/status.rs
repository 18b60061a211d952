//! `kubectl rollout status`, as kubectl decides it (`polymorphichelpers/rollout_status.go`): from the Deployment alone.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition};

/// What the Deployment says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Its controller has not looked at the newest specification, or is told not to: ReplicaSets and pods are still
    /// those of the one before, and say nothing about this one.
    NotBegun(String),
    /// On its way.
    Waiting(String),
    /// Every replica is new and available.
    Complete,
}

/// Against the live `spec.replicas`: an autoscaler may change it at any time.
pub(crate) fn of(deployment: &Deployment) -> Status {
    let status = deployment.status.clone().unwrap_or_default();
    if deployment.metadata.generation > status.observed_generation {
        return Status::NotBegun("the controller has not seen the change yet".to_owned());
    }
    let spec = &deployment.spec;
    let wanted = spec.replicas.unwrap_or(1);
    let number = |count: Option<i32>| count.unwrap_or_default();
    let (updated, available) = (number(status.updated_replicas), number(status.available_replicas));
    let old = number(status.replicas) - updated;
    if updated >= wanted && old <= 0 && available >= updated {
        return Status::Complete;
    }
    if spec.paused == Some(true) {
        let name = crate::observed::name(&deployment.metadata);
        return Status::NotBegun(format!("paused: `kubectl rollout resume deployment/{name}`"));
    }
    Status::Waiting(if updated < wanted {
        format!("{updated} of {wanted} new pods are made")
    } else if old > 0 {
        format!("{old} old {} to end", if old == 1 { "pod has" } else { "pods have" })
    } else {
        format!("{available} of {updated} new pods are available")
    })
}

/// One of the Deployment's conditions.
pub(crate) fn condition<'a>(deployment: &'a Deployment, kind: &str) -> Option<&'a DeploymentCondition> {
    let conditions = deployment.status.as_ref()?.conditions.as_deref()?;
    conditions.iter().find(|condition| condition.type_.as_deref() == Some(kind))
}
