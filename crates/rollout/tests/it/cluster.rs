//! A rollout in its middle, to be changed by what a test is about.

use jiff::{SignedDuration, Timestamp};
use rollout::{Cause, Doom, Observed, Standing, State, standing};
use serde_json::{Value, json};

/// The one service, and the pod of its newest ReplicaSet.
pub(crate) const SERVICE: &str = "auth-service";
pub(crate) const POD: &str = "auth-service-new-1";

/// A moment, in seconds after the rollout began.
pub(crate) fn at(seconds: i64) -> Timestamp {
    "2026-11-25T10:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

/// Two replicas are wanted: the old ReplicaSet has two ready pods, the new one has one, which has not begun.
pub(crate) struct Cluster {
    pub(crate) deployment: Value,
    pub(crate) old_set: Value,
    pub(crate) new_set: Value,
    pub(crate) pods: Vec<Value>,
    events: Vec<Value>,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let deployment = json!({
            "metadata": { "name": SERVICE, "uid": "deployment", "generation": 2, "annotations": revision(2) },
            "spec": { "replicas": 2, "selector": {}, "template": {}, "progressDeadlineSeconds": 600 },
            "status": {
                "observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "readyReplicas": 2,
                "availableReplicas": 2, "unavailableReplicas": 1, "conditions": [],
            },
        });
        let container = json!({
            "name": SERVICE, "image": "auth-service:2.0.0",
            "resources": { "limits": { "memory": "64Mi" }, "requests": { "cpu": "50m", "memory": "64Mi" } },
            "startupProbe": { "httpGet": { "path": "/health/live", "port": 3000 } },
            "readinessProbe": {
                "httpGet": { "path": "/health/ready", "port": 3000 },
                "initialDelaySeconds": 10, "periodSeconds": 5, "failureThreshold": 2,
            },
        });
        let pod = json!({
            "metadata": { "name": POD, "uid": POD, "creationTimestamp": at(0), "ownerReferences": owner("new") },
            "spec": { "containers": [container] },
            "status": { "phase": "Pending", "conditions": [condition("Ready", "False", 0)] },
        });
        Self {
            deployment,
            old_set: set("old", 1, 2),
            new_set: set("new", 2, 1),
            pods: vec![pod, ready_pod("auth-service-old-1", "old", 3), ready_pod("auth-service-old-2", "old", 4)],
            events: Vec::new(),
        }
    }

    /// Changes the status of the new pod.
    pub(crate) fn pod(mut self, status: Value) -> Self {
        merge(&mut self.pods[0]["status"], status);
        self
    }

    /// The container of the new pod, with its state.
    pub(crate) fn container(self, status: Value) -> Self {
        let mut container = json!({
            "name": SERVICE, "image": "auth-service:2.0.0", "imageID": "", "ready": false, "restartCount": 0,
        });
        merge(&mut container, status);
        self.pod(json!({ "containerStatuses": [container] }))
    }

    /// An event about the new pod: its reason, message, how often, and when it came first.
    pub(crate) fn event(mut self, reason: &str, message: &str, count: i32, first: i64) -> Self {
        self.events.push(json!({
            "metadata": { "name": format!("event-{}", self.events.len()) },
            "involvedObject": { "kind": "Pod", "name": POD, "uid": POD },
            "reason": reason, "message": message, "count": count, "firstTimestamp": at(first), "type": "Warning",
        }));
        self
    }

    pub(crate) fn observed(self) -> Observed {
        let Self { deployment, old_set, new_set, pods, events } = self;
        serde_json::from_value(json!({
            "namespace": "production", "services": [SERVICE], "deployments": [deployment],
            "replica_sets": [old_set, new_set], "pods": pods, "events": events,
        }))
        .unwrap()
    }

    pub(crate) fn standing(self, seconds: i64) -> Standing {
        standing(&self.observed(), at(seconds))
    }

    pub(crate) fn state(self, seconds: i64) -> State {
        self.standing(seconds).services[0].state.clone()
    }

    /// The one doom, a minute after the rollout began.
    pub(crate) fn doom(self) -> Doom {
        let state = self.state(60);
        assert_eq!(state.dooms().len(), 1, "{state:?}");
        state.dooms()[0].clone()
    }

    /// Nothing is doomed a minute after the rollout began.
    pub(crate) fn waits(self) -> String {
        match self.state(60) {
            State::Waiting { why } => why,
            state => panic!("{state:?}"),
        }
    }
}

pub(crate) fn revision(number: u32) -> Value {
    json!({ "deployment.kubernetes.io/revision": number.to_string() })
}

fn owner(uid: &str) -> Value {
    json!([{ "apiVersion": "apps/v1", "kind": "any", "name": uid, "uid": uid, "controller": true }])
}

pub(crate) fn condition(kind: &str, status: &str, changed: i64) -> Value {
    json!({ "type": kind, "status": status, "lastTransitionTime": at(changed) })
}

fn set(uid: &str, number: u32, replicas: i32) -> Value {
    let image = format!("auth-service:{number}.0.0");
    json!({
        "metadata": {
            "name": format!("{SERVICE}-{uid}"), "uid": uid, "annotations": revision(number),
            "ownerReferences": owner("deployment"),
        },
        "spec": {
            "replicas": replicas, "selector": {},
            "template": { "spec": { "containers": [{ "name": SERVICE, "image": image }] } },
        },
        "status": { "replicas": replicas, "readyReplicas": if uid == "old" { replicas } else { 0 } },
    })
}

/// A pod that needed so many seconds from its start until it was ready, an hour ago.
pub(crate) fn ready_pod(name: &str, set: &str, took: i64) -> Value {
    json!({
        "metadata": { "name": name, "uid": name, "creationTimestamp": at(-3600), "ownerReferences": owner(set) },
        "spec": { "containers": [{ "name": SERVICE, "image": "auth-service:1.0.0" }] },
        "status": {
            "phase": "Running",
            "conditions": [condition("Ready", "True", took - 3600)],
            "containerStatuses": [{
                "name": SERVICE, "image": "auth-service:1.0.0", "imageID": "", "ready": true, "started": true,
                "restartCount": 0, "state": { "running": { "startedAt": at(-3600) } },
            }],
        },
    })
}

pub(crate) fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            from.into_iter().for_each(|(key, value)| merge(into.entry(key).or_insert(Value::Null), value));
        }
        (into, from) => *into = from,
    }
}

/// Cause, and how long after the rollout began the cluster dates it.
pub(crate) fn told(doom: &Doom) -> (Cause, i64) {
    (doom.cause, doom.since.at.duration_since(at(0)).as_secs())
}
