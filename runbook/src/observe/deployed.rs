//! The Deployments of the services, and what ran before.

use super::{Deployed, Past};
use crate::{
    failure::Failure,
    programs::{CallError, kubectl::Kubectl},
};
use k8s_openapi::{
    api::{
        apps::v1::{Deployment, ReplicaSet},
        core::v1::PodSpec,
    },
    apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta},
};
use rollout::revision;
use runbook_file::{Cluster, Service};
use serde::{Deserialize, de::DeserializeOwned};
use std::collections::BTreeMap;

const SCHEMA_NEEDS: &str = "api-platform/schema-needs";

/// By service; those that are not there are left out.
pub(crate) async fn observe(
    cluster: &Cluster,
    services: &[(String, Service)],
) -> Result<BTreeMap<String, Deployed>, Failure> {
    let (deployments, replica_sets) =
        tokio::join!(list::<Deployment>(cluster, "deployments"), list::<ReplicaSet>(cluster, "replicasets"));
    let (deployments, replica_sets) = (deployments?, replica_sets?);
    let of = |name: &String| {
        let deployment = deployments.iter().find(|found| found.metadata.name.as_ref() == Some(name))?;
        Some((name.clone(), deployed(name, deployment, &replica_sets)?))
    };
    Ok(services.iter().filter_map(|(name, _)| of(name)).collect())
}

/// What kubectl prints for several.
#[derive(Deserialize)]
struct Items<T> {
    items: Vec<T>,
}

async fn list<T: DeserializeOwned>(cluster: &Cluster, kind: &str) -> Result<Vec<T>, Failure> {
    let call = Kubectl(cluster).in_namespace(["get", kind, "--output=json", "--show-managed-fields"]);
    let text = call.run().await.map_err(|error| {
        let failure = Failure::failed(format!("{} cannot be asked: {error}", cluster.context)).cured_by(call.literal());
        if matches!(error, CallError::NotThere(_)) { failure } else { failure.because("is the VPN up?") }
    })?;
    let list: Items<T> = serde_json::from_str(&text)
        .map_err(|error| Failure::failed(format!("what kubectl says of {kind} cannot be read: {error}")))?;
    Ok(list.items)
}

fn deployed(name: &str, deployment: &Deployment, replica_sets: &[ReplicaSet]) -> Option<Deployed> {
    let image = image(name, deployment.spec.template.spec.as_ref()?)?;
    let uid = deployment.metadata.uid.as_ref();
    let is_ours = |set: &&ReplicaSet| {
        let owners = set.metadata.owner_references.iter().flatten();
        owners.into_iter().any(|owner| Some(&owner.uid) == uid)
    };
    let mut history: Vec<_> = replica_sets.iter().filter(is_ours).filter_map(|set| past(name, set)).collect();
    history.sort_by_key(|past| past.revision);
    Some(Deployed {
        image,
        revision: revision(&deployment.metadata)?,
        history,
        taken_by: taken_by(&deployment.metadata),
    })
}

fn past(name: &str, set: &ReplicaSet) -> Option<Past> {
    let image = image(name, set.spec.template.as_ref()?.spec.as_ref()?)?;
    let schema_needs = set.metadata.annotations.as_ref().and_then(|all| all.get(SCHEMA_NEEDS)).cloned();
    Some(Past { revision: revision(&set.metadata)?, image, schema_needs })
}

/// Of the container that is called as the service.
fn image(name: &str, pod: &PodSpec) -> Option<String> {
    pod.containers.iter().find(|container| container.name == name)?.image.clone()
}

/// Who, besides helm, set the image: only that is what the document's lines change.
fn taken_by(metadata: &ObjectMeta) -> Vec<String> {
    let took = |entry: &&ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref().map(|fields| fields.0.to_string()).unwrap_or_default();
        entry.subresource.is_none() && fields.contains("\"f:image\"")
    };
    let managers = metadata.managed_fields.iter().flatten().filter(took).filter_map(|entry| entry.manager.clone());
    let mut managers: Vec<_> = managers.filter(|manager| manager != "helm").collect();
    managers.sort();
    managers.dedup();
    managers
}
