//! Against a stand-in for the cluster.

use super::Live;
use crate::{
    cluster::stand_in::{Fault, StandIn},
    execute::{Standing, Trouble},
    journal::{Event, Journal},
    lock::{Holder, Lock},
    plan::{Step, tests as plans},
    programs::Call,
    report::Report,
    request::Request,
    screen::{Form, Screen},
    time,
};
use jiff::SignedDuration;
use runbook_file::{Cluster, RunbookFile};
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};
use tempfile::TempDir;
use tokio::time::sleep;

const PODS: &str = "/api/v1/namespaces/production/pods";
/// Long enough for a slow machine; nothing that goes well waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster, and who acts on it.
struct Stand {
    api: StandIn,
    cluster: Cluster,
    client: kube::Client,
    file: RunbookFile,
    screen: Screen,
    folder: TempDir,
}

impl Stand {
    async fn start() -> Self {
        let api = StandIn::start();
        let screen = Screen { form: Form::Plain, width: 100, has_colour: false, is_terminal: false, height: 24 };
        let (cluster, client) = (api.cluster("ada"), api.client("ada").await);
        Self { api, cluster, client, file: plans::file(), screen, folder: tempfile::tempdir().unwrap() }
    }

    async fn live<T>(&self, act: impl AsyncFnOnce(&Live<'_>) -> T) -> T {
        self.live_with(None, act).await
    }

    async fn live_with<T>(&self, lock: Option<Lock>, act: impl AsyncFnOnce(&Live<'_>) -> T) -> T {
        let request = Request { cluster: &self.cluster, ..plans::request(&self.file, None) };
        let report = Report::new(&self.screen);
        let (folder, client, began) = (self.folder.path(), self.client.clone(), time::now());
        act(&Live { folder, request: &request, client, lock, report: &report, began, copy: None }).await
    }

    /// A pod of a service, which says its version at `/health`.
    fn pod(&self, service: &str, name: &str, version: &str, change: impl FnOnce(&mut Value)) {
        let image = format!("api-platform/{service}:{version}");
        let status = json!({ "name": service, "image": image, "imageID": format!("{image}@sha256:0123456789abcdef"),
                             "ready": true, "restartCount": 0 });
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": "production" },
            "spec": { "containers": [{ "name": service, "image": image }] },
            "status": { "phase": "Running", "containerStatuses": [status] },
        });
        change(&mut pod);
        self.api.put(&format!("{PODS}/{name}"), pod);
        self.api.put(&format!("{PODS}/{name}:3000/proxy/health"), json!({ "version": version }));
    }

    /// Both services at a version, a pod each.
    fn serves(&self, version: &str) {
        for service in ["auth-service", "user-service"] {
            self.pod(service, &format!("{service}-{version}"), version, |_| {});
        }
    }

    fn log(&self, pod: &str, lines: &[&str]) {
        self.api.put(&format!("{PODS}/{pod}/log"), lines.join("\n").into());
    }

    /// The journal of a deployment by helm of 1.2.4, which has just begun.
    fn journal(&self) -> (Journal, Step) {
        let plan = plans::planned(None, "1.2.4", &plans::observed()).unwrap();
        let upgrade = plan.steps.iter().find(|step| step.id == "4.3.upgrade").unwrap().clone();
        let run = "20250117-140000-0000".to_owned();
        (Journal::begin(self.folder.path(), &run, plans::began(&run, plan)).unwrap(), upgrade)
    }

    /// A Deployment at a revision, with that ReplicaSet.
    fn deployment(&self, service: &str, revision: u32, status: &Value, set_status: &Value) {
        let metadata = |name: &str, owner: Option<&str>| {
            let owners = owner.map(|owner| json!([{ "apiVersion": "apps/v1", "kind": "Deployment", "name": owner, "uid": owner, "controller": true }]));
            json!({ "name": name, "namespace": "production", "uid": name, "generation": revision, "ownerReferences": owners,
                    "annotations": { "deployment.kubernetes.io/revision": revision.to_string() } })
        };
        let set = format!("{service}-{revision}");
        let apps = "/apis/apps/v1/namespaces/production";
        let object = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata(&set, Some(service)),
            "spec": { "replicas": 1, "selector": {} }, "status": set_status,
        });
        self.api.put(&format!("{apps}/replicasets/{set}"), object);
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(service, None),
            "spec": { "replicas": 1, "selector": {}, "template": {} }, "status": status,
        });
        self.api.put(&format!("{apps}/deployments/{service}"), object);
    }

    /// One that is rolled out.
    fn rolled_out(&self, service: &str, revision: u32) {
        let status =
            json!({ "observedGeneration": revision, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1 });
        self.deployment(service, revision, &status, &json!({ "replicas": 1, "readyReplicas": 1 }));
    }

    async fn pods(&self, limit: Duration) -> Result<String, Trouble> {
        self.live(async |live| live.pods_within(limit, "1.2.4").await).await
    }
}

fn unready(pod: &mut Value) {
    pod["status"]["containerStatuses"][0]["ready"] = false.into();
}

fn ending(pod: &mut Value) {
    pod["metadata"]["deletionTimestamp"] = "2025-01-17T14:00:00Z".into();
}

#[tokio::test]
async fn pods_that_settle_after_a_rollout_are_waited_for() {
    let stand = Stand::start().await;
    stand.serves("1.2.4");
    stand.pod("auth-service", "auth-service-ends", "1.2.3", |_| {});
    stand.pod("user-service", "user-service-starts", "1.2.4", unready);
    let settle = async {
        sleep(Duration::from_millis(200)).await;
        stand.pod("auth-service", "auth-service-ends", "1.2.3", ending);
        stand.pod("user-service", "user-service-starts", "1.2.4", |_| {});
    };
    let (said, ()) = tokio::join!(stand.pods(PATIENCE), settle);
    insta::assert_snapshot!(said.unwrap(), @r"
    auth-service-1.2.4  1/1  0 restarts  0123456789ab  1.2.4
    user-service-1.2.4  1/1  0 restarts  0123456789ab  1.2.4
    user-service-starts  1/1  0 restarts  0123456789ab  1.2.4
    ");
}

const KNOWN: &str = "2025-01-17T14:00:00Z ERROR api::problem: request 7 failed";

#[tokio::test]
async fn an_error_that_was_there_before_the_rollout_is_not_new() {
    let stand = Stand::start().await;
    stand.serves("1.2.3");
    stand.log("auth-service-1.2.3", &[KNOWN]);
    stand.log("user-service-1.2.3", &["2025-01-17T14:00:00Z  INFO api: all is well"]);
    let (mut journal, upgrade) = stand.journal();
    stand.live(async |live| live.note_errors_before(&journal, &upgrade).await).await;
    journal.append(Event::Doing { step: upgrade.id.clone() }).unwrap();
    for service in ["auth-service", "user-service"] {
        stand.api.delete(&format!("{PODS}/{service}-1.2.3"));
    }
    stand.serves("1.2.4");
    let again = KNOWN.replace("request 7", "request 123");
    stand.log("auth-service-1.2.4", &[&again, &again]);
    stand.log("user-service-1.2.4", &[]);
    let said = stand.live(async |live| live.logs().await).await.unwrap();
    insta::assert_snapshot!(said, @r"
    no new error in the last 100 lines of 2 pods
    before the change as well: 2 × auth-service-1.2.4: 2025-01-17T14:00:00Z ERROR api::problem: request 123 failed
    ");
    let other = KNOWN.replace("request", "payment");
    stand.log("user-service-1.2.4", &[&again, &other]);
    // A run that was interrupted in the middle of its rollout has noted it, and does not take the new pods for old ones.
    stand.live(async |live| live.note_errors_before(&journal, &upgrade).await).await;
    let trouble = stand.live(async |live| live.logs().await).await.unwrap_err();
    assert_eq!(trouble.why, "new errors in the logs: 1");
    insta::assert_snapshot!(trouble.evidence, @r"
    before the change as well: 3 × auth-service-1.2.4: 2025-01-17T14:00:00Z ERROR api::problem: request 123 failed
    user-service-1.2.4: 2025-01-17T14:00:00Z ERROR api::problem: payment 7 failed
    ");
}

#[tokio::test]
async fn a_dump_of_hours_ago_is_not_this_runs() {
    let stand = Stand::start().await;
    let folder = Path::new(".runbook/backups/production-20250117-140000");
    let standing = async || stand.live(async |live| live.has_dump(folder).unwrap()).await;
    let dump = |id: &str, minutes: i64| {
        let taken_at = time::now() - SignedDuration::from_mins(minutes);
        let manifest = json!({ "form": 1, "id": id, "taken_at": taken_at, "database": "api_platform",
                               "server_version": "15.6", "tables": {}, "files": {}, "bytes": 0 });
        let place = stand.folder.path().join(folder).join(id);
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("manifest.json"), manifest.to_string()).unwrap();
    };
    assert_eq!(standing().await, Standing::Absent);
    dump("of-this-morning", 90);
    assert_eq!(standing().await, Standing::Absent);
    dump("of-now", 30);
    assert_eq!(standing().await, Standing::Present("of-now".into()));
}

#[tokio::test]
async fn what_the_cluster_dates_is_judged_by_the_clusters_clock() {
    let stand = Stand::start().await;
    let behind = SignedDuration::from_hours(5);
    stand.api.is_ahead(-behind);
    let there = time::now() - behind;
    stand.serves("1.2.4");
    stand.pod("auth-service", "auth-service-crashed", "1.2.4", |pod| {
        let at = there - SignedDuration::from_mins(1);
        pod["status"]["containerStatuses"][0]["lastState"] =
            json!({ "terminated": { "exitCode": 1, "finishedAt": at } });
    });
    let trouble = stand.pods(Duration::ZERO).await.unwrap_err();
    assert!(trouble.why.starts_with("auth-service-crashed  1/1"), "it crashed a minute ago: {trouble:?}");

    stand.rolled_out("user-service", 1);
    let waits = json!({ "observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 0 });
    stand.deployment("auth-service", 2, &waits, &json!({ "replicas": 1 }));
    stand.pod("auth-service", "auth-service-2-a", "1.2.4", |pod| {
        let owner = json!([{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "any", "uid": "auth-service-2", "controller": true }]);
        pod["metadata"]["ownerReferences"] = owner;
        pod["status"] = json!({ "phase": "Pending", "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "lastTransitionTime": there,
            "message": "0/1 nodes are available: 1 Insufficient cpu.",
        }] });
    });
    let done = async {
        sleep(Duration::from_millis(700)).await;
        stand.rolled_out("auth-service", 2);
    };
    let services = ["auth-service".to_owned()];
    let (said, ()) = tokio::join!(stand.live(async |live| live.rolled_out(&services).await), done);
    assert_eq!(said.unwrap(), "deployment \"auth-service\" successfully rolled out", "no node took it for a second");
}

#[tokio::test]
async fn a_rollout_that_fails_in_its_first_instant_is_not_taken_for_an_old_one() {
    let stand = Stand::start().await;
    stand.rolled_out("auth-service", 1);
    stand.rolled_out("user-service", 1);
    // Slower than a program begins.
    stand.api.fault(Fault::Stalled(Duration::from_millis(500)));
    let begun = stand.folder.path().join("begun");
    let helm = Call::new("sh").args(["-c", "touch begun; exec sleep 10"]).within(stand.folder.path());
    let fails = async {
        while !begun.exists() {
            sleep(Duration::from_millis(5)).await;
        }
        let waits = json!({ "observedGeneration": 2, "replicas": 1, "updatedReplicas": 0, "availableReplicas": 1 });
        let refusal = json!({ "type": "ReplicaFailure", "status": "True", "lastTransitionTime": time::now(),
                              "message": "pods \"a\" is forbidden: exceeded quota: no-more" });
        stand.deployment("auth-service", 2, &waits, &json!({ "replicas": 0, "conditions": [refusal] }));
    };
    let (said, ()) = tokio::join!(stand.live(async |live| live.beside_the_rollout(&helm).await), fails);
    assert_eq!(said.unwrap_err().why, "auth-service: exceeded quota: no-more (quota)");
}

#[tokio::test]
async fn what_changes_the_cluster_ends_when_the_lock_is_lost_and_is_not_begun_after() {
    let stand = Stand::start().await;
    let holder = Holder { by: "ada@laptop".into(), run: "20250117-140000-0000".into(), process: None };
    let lock = Lock::take(&stand.client, "production", &holder, |_| {}).await.unwrap();
    let act = async |live: &Live<'_>| {
        let began = stand.folder.path().join("began");
        let program = Call::new("sh").args(["-c", "touch began; exec sleep 60"]).within(stand.folder.path());
        let lose = async {
            while !began.exists() {
                sleep(Duration::from_millis(5)).await;
            }
            stand.api.delete("/apis/coordination.k8s.io/v1/namespaces/runbook/leases/production");
            // It is written at once, which tells.
            live.lock.as_ref().unwrap().at_step("4.1.apply");
        };
        let (said, ()) = tokio::join!(live.changed_by(&program), lose);
        let service = "auth-service";
        [
            said,
            live.kubectl_apply(Path::new("k8s/production")).await,
            live.set_image(service, "api-platform/auth-service:1.2.4").await,
            live.undo(service, 1).await,
            live.helm_rollback("api-platform", 1, false).await,
            live.smoke().await,
        ]
    };
    for said in stand.live_with(Some(lock), act).await {
        assert_eq!(said.unwrap_err().why, "the lock was lost: somebody deleted its Lease");
    }
}
