//! What was seen of a namespace: the API's own objects.

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, ReplicaSet},
        core::v1::{Event, Pod},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde::{Deserialize, Serialize};

/// Where a Deployment and its ReplicaSets say which revision they are.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// The objects of some services in one namespace, at one moment. Others may be among them: whose they are is told by
/// their owners.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// Where.
    pub namespace: String,
    /// The services: each is the name of a Deployment and of its container.
    pub services: Vec<String>,
    /// `apps/v1` Deployments.
    pub deployments: Vec<Deployment>,
    /// `apps/v1` ReplicaSets.
    pub replica_sets: Vec<ReplicaSet>,
    /// Pods.
    pub pods: Vec<Pod>,
    /// Events, of the core API (the others are shown there too).
    pub events: Vec<Event>,
}

impl Observed {
    pub(crate) fn deployment(&self, service: &str) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.metadata.name.as_deref() == Some(service))
    }

    /// Every revision of a Deployment that is still there, the newest first.
    pub(crate) fn revisions_of(&self, deployment: &Deployment) -> Vec<&ReplicaSet> {
        let mut owned: Vec<_> =
            self.replica_sets.iter().filter(|set| owns(&deployment.metadata, &set.metadata)).collect();
        owned.sort_by_key(|set| std::cmp::Reverse(revision(&set.metadata)));
        owned
    }

    /// The ReplicaSet of what is rolled out: the one with the Deployment's own revision, else the highest. After an
    /// undo that is an old one with a new number.
    pub(crate) fn newest(&self, deployment: &Deployment) -> Option<&ReplicaSet> {
        let owned = self.revisions_of(deployment);
        let wanted = revision(&deployment.metadata);
        let same = owned.iter().find(|set| wanted.is_some() && revision(&set.metadata) == wanted);
        same.or(owned.first()).copied()
    }

    pub(crate) fn pods_of(&self, set: &ReplicaSet) -> Vec<&Pod> {
        self.pods.iter().filter(|pod| owns(&set.metadata, &pod.metadata)).collect()
    }

    /// Events about one object, by its uid: a name may have been another's before.
    pub(crate) fn events_of(&self, object: &ObjectMeta) -> Vec<&Event> {
        let about = |event: &&Event| object.uid.is_some() && event.involved_object.uid == object.uid;
        self.events.iter().filter(about).collect()
    }
}

/// The number of a revision, as a Deployment and its ReplicaSets carry it; none: they do not, or it is no number.
pub fn revision(object: &ObjectMeta) -> Option<u64> {
    object.annotations.as_ref()?.get(REVISION)?.parse().ok()
}

/// Whether the first is the controller of the second.
pub(crate) fn owns(owner: &ObjectMeta, object: &ObjectMeta) -> bool {
    let owners = object.owner_references.as_deref().unwrap_or_default();
    owners.iter().any(|it| it.controller == Some(true) && Some(&it.uid) == owner.uid.as_ref())
}

/// The name, which every object of the API has.
pub(crate) fn name(object: &ObjectMeta) -> &str {
    object.name.as_deref().unwrap_or_default()
}
