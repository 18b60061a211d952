//! "Kubernetes cluster access": the context, which cluster it is, what one may do there, and the secrets in it.

use super::{Finding, Group, LIMIT, shared};
use crate::{
    cluster,
    failure::Failure,
    programs::{CallError, kubectl::Kubectl},
};
use futures_util::future::{BoxFuture, FutureExt as _};
use runbook_file::Cluster;
use std::collections::BTreeMap;

/// What the steps do in the namespace: verb, resource, and where.
const RIGHTS: [(&str, &str, &str); 12] = [
    ("create", "deployments.apps", "Step 4 makes them at the first time"),
    ("patch", "deployments.apps", "Step 4 and every rollback change them"),
    ("patch", "horizontalpodautoscalers.autoscaling", "Step 4 changes them"),
    ("create", "secrets", "helm keeps its releases in secrets (Step 4)"),
    ("update", "secrets", "helm writes down how each of them ended (Step 4)"),
    ("list", "secrets", "helm reads its releases from secrets (Rollback Option 1)"),
    ("list", "pods", "Step 5 looks at every pod"),
    ("list", "replicasets.apps", "Step 4 watches a rollout by them"),
    ("get", "pods/log", "Step 5 reads logs"),
    ("get", "pods/proxy", "Step 5 asks every pod for its version and its metrics"),
    ("list", "events", "Troubleshooting reads them"),
    ("patch", "deployments.apps/scale", "Rollback Option 3 stops the services"),
];

/// All of a cluster.
pub(crate) fn checks<'a>(
    cluster: &'a Cluster,
    secrets: &'a BTreeMap<String, Vec<String>>,
) -> Vec<BoxFuture<'a, Vec<Finding>>> {
    vec![look(cluster, secrets).boxed()]
}

/// An environment that has none, which is nothing to be surprised by later.
pub(crate) fn none(name: &str) -> Finding {
    Group::Cluster
        .warning(
            "cluster.none",
            "runbook.toml names no cluster for it",
            "nothing can be deployed there, and what a cluster needs is not looked at",
        )
        .cured_by(format!(
            "in runbook.toml, in [environments.{name}]: cluster = {{ context = \"…\", namespace = \"…\" }}"
        ))
}

/// Without the right cluster nothing else is asked: its answers would be about another one.
async fn look(cluster: &Cluster, secrets: &BTreeMap<String, Vec<String>>) -> Vec<Finding> {
    let kubectl = Kubectl(cluster);
    let Some(identity) = identity(kubectl).await else { return vec![] };
    if identity.mark == crate::page::Mark::Failed {
        return vec![identity];
    }
    let rights = futures_util::future::join_all(RIGHTS.iter().map(|right| allowed(kubectl, right)));
    let secrets = futures_util::future::join_all(secrets.iter().map(|(name, keys)| secret(kubectl, name, keys)));
    let (rights, secrets, shared) = tokio::join!(rights, secrets, shared::check(cluster));
    let missing: Vec<_> = rights.into_iter().flatten().collect();
    let rights = if missing.is_empty() {
        let what = format!("all {} rights that the steps need in namespace {}", RIGHTS.len(), cluster.namespace);
        vec![Group::Cluster.good("rights", what)]
    } else {
        missing
    };
    std::iter::once(identity).chain(rights).chain([shared]).chain(secrets).collect()
}

/// None: there is no kubectl, which is said elsewhere.
async fn identity(kubectl: Kubectl<'_>) -> Option<Finding> {
    let id = "cluster.identity";
    let Cluster { context, uid, .. } = kubectl.0;
    if let Err(Failure { what, why, cure, .. }) = cluster::kubeconfig(kubectl.0) {
        let failed = Group::Cluster.failed(id, what, why.unwrap_or_default());
        return Some(cure.into_iter().fold(failed, Finding::cured_by));
    }
    let call = kubectl.call(["get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"]).limit(LIMIT);
    Some(match (call.run().await, uid.as_deref()) {
        (Ok(found), Some(wanted)) if found.trim() == wanted => {
            Group::Cluster.good(id, format!("{context} is the cluster {wanted}"))
        }
        (Ok(found), Some(wanted)) => {
            let why = "what is meant for one cluster would be done in another";
            let what = format!("{context} is the cluster {}, not {wanted}", found.trim());
            Group::Cluster.failed(id, what, why).cured_by("kubectl config get-contexts")
        }
        (Ok(found), None) => Group::Cluster
            .warning(
                id,
                format!("{context} answers, and nobody compares which cluster it is"),
                "a context can come to mean another one",
            )
            .cured_by(format!("in runbook.toml, in cluster: uid = \"{}\"", found.trim())),
        (Err(CallError::NotThere(_)), _) => return None,
        (Err(error), _) => Group::Cluster
            .failed(
                id,
                format!("{context} does not answer: {error}"),
                "Steps 4 and 5 and every rollback go there; is the VPN up?",
            )
            .cured_by(call.literal()),
    })
}

/// None: it is allowed.
async fn allowed(kubectl: Kubectl<'_>, (verb, resource, why): &(&str, &str, &str)) -> Option<Finding> {
    let (name, subresource) = resource.split_once('/').map_or((*resource, None), |(name, sub)| (name, Some(sub)));
    let subresource = subresource.map(|sub| format!("--subresource={sub}"));
    let call = kubectl.in_namespace(["auth", "can-i", verb, name]).args(subresource).limit(LIMIT);
    let id = format!("right.{verb}.{resource}");
    match call.run().await {
        Ok(_) => None,
        Err(CallError::Failed { code: Some(1), said }) if said.lines().any(|line| line.starts_with("no")) => {
            let what = format!("you may not {verb} {resource} in namespace {}", kubectl.0.namespace);
            Some(Group::Cluster.failed(id, what, *why).cured_by(call.literal()))
        }
        Err(error) => {
            let what = format!("whether you may {verb} {resource} cannot be told: {error}");
            Some(Group::Cluster.failed(id, what, *why).cured_by(call.literal()))
        }
    }
}

/// Only the names of its keys leave kubectl.
async fn secret(kubectl: Kubectl<'_>, name: &str, keys: &[String]) -> Finding {
    let template = "go-template={{range $key, $value := .data}}{{$key}} {{end}}";
    let call = kubectl.in_namespace(["get", "secret", name, "-o", template]).limit(LIMIT);
    let (id, why) = (format!("secret.{name}"), "pods do not start without it (Step 4)");
    let create = format!("kubectl create secret generic {name} -n {} --from-file=KEY=PATH", kubectl.0.namespace);
    match call.run().await {
        Ok(found) => {
            let found: Vec<_> = found.split_whitespace().collect();
            let missing: Vec<_> = keys.iter().map(String::as_str).filter(|key| !found.contains(key)).collect();
            if missing.is_empty() {
                return Group::Cluster.good(id, format!("secret {name} has {}", keys.join(", ")));
            }
            Group::Cluster.failed(id, format!("secret {name} has no {}", missing.join(", ")), why).cured_by(create)
        }
        Err(CallError::Failed { said, .. }) if said.contains("NotFound") => {
            Group::Cluster.failed(id, format!("secret {name} is not there"), why).cured_by(create)
        }
        Err(error) => Group::Cluster.failed(id, format!("secret {name}: {error}"), why).cured_by(call.literal()),
    }
}
