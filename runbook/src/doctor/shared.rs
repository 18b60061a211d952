//! What operators share: the namespace with locks, copies of journals, and what is remembered of environments.

use super::{Finding, Group};
use crate::{
    cluster::{self, AskError, NAMESPACE, ask},
    programs::kubectl::Kubectl,
};
use futures_util::future::join_all;
use k8s_openapi::{
    api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Api, Client, api::PostParams};
use runbook_file::Cluster;
use std::collections::BTreeSet;

const ID: &str = "rights.runbook";
const WHY: &str = "every run takes its lock and writes its journal's copy there: none can begin";

/// Verb, group and resource of all that a run does there.
const RIGHTS: [(&str, &str, &str); 9] = [
    ("get", LEASES, "leases"),
    ("create", LEASES, "leases"),
    ("update", LEASES, "leases"),
    ("get", "", "configmaps"),
    ("list", "", "configmaps"),
    ("create", "", "configmaps"),
    ("update", "", "configmaps"),
    ("patch", "", "configmaps"),
    ("delete", "", "configmaps"),
];
const LEASES: &str = "coordination.k8s.io";

/// Whether runs may do what they do there. All is asked at once.
pub(super) async fn check(cluster: &Cluster) -> Finding {
    let client = match cluster::connect(cluster).await {
        Ok(client) => client,
        Err(failure) => {
            let what = format!("what you may do in namespace {NAMESPACE} cannot be asked: {failure}");
            let failed = Group::Cluster.failed(ID, what, WHY);
            return failure.cure.into_iter().fold(failed, Finding::cured_by);
        }
    };
    let answers = join_all(RIGHTS.iter().map(async |right| (right, is_allowed(&client, right).await))).await;
    let mut missing = vec![];
    for ((verb, _, resource), answer) in answers {
        match answer {
            Ok(true) => {}
            Ok(false) => missing.push(format!("{verb} {resource}")),
            Err(error) => {
                let what = format!("what you may do in namespace {NAMESPACE} cannot be told: {error}");
                let question = Kubectl(cluster).call(["auth", "can-i", "--list", "-n", NAMESPACE]);
                return Group::Cluster.failed(ID, what, WHY).cured_by(question.literal());
            }
        }
    }
    judge(&missing, &client, cluster).await
}

async fn judge(missing: &[String], client: &Client, cluster: &Cluster) -> Finding {
    if missing.is_empty() {
        return Group::Cluster.good(ID, format!("all {} rights that runs need in namespace {NAMESPACE}", RIGHTS.len()));
    }
    let what = format!("in namespace {NAMESPACE} you may not {}", missing.join(", "));
    let finding = if missing == ["delete configmaps"] {
        Group::Cluster.warning(ID, what, "copies of old runs are kept there for ever")
    } else {
        Group::Cluster.failed(ID, what, WHY)
    };
    let whose = cluster::whoami(client).await.unwrap_or_else(|_| "WHO".to_owned());
    finding.cured_by(cure(cluster, &whose))
}

/// For an administrator. The role may be there already, for a colleague: the second line is needed all the same.
fn cure(cluster: &Cluster, whose: &str) -> String {
    let verbs: BTreeSet<_> = RIGHTS.iter().map(|(verb, ..)| *verb).collect();
    let verbs = verbs.into_iter().collect::<Vec<_>>().join(",");
    // The name of a binding has no slash in it, and those of people may have.
    let binding = whose.replace(|char: char| !char.is_ascii_alphanumeric(), "-");
    let (verbs, resources) = (format!("--verb={verbs}"), format!("--resource=leases.{LEASES},configmaps"));
    let (binding, user) = (format!("runbook-{binding}"), format!("--user={whose}"));
    let kubectl = Kubectl(cluster);
    let lines = [
        kubectl.call(["create", "role", "runbook", "-n", NAMESPACE, &verbs, &resources]),
        kubectl.call(["create", "rolebinding", &binding, "-n", NAMESPACE, "--role=runbook", &user]),
    ];
    lines.map(|line| line.literal()).join("; ")
}

async fn is_allowed(client: &Client, (verb, group, resource): &(&str, &str, &str)) -> Result<bool, AskError> {
    let attributes = ResourceAttributes {
        namespace: Some(NAMESPACE.to_owned()),
        verb: Some((*verb).to_owned()),
        group: Some((*group).to_owned()),
        resource: Some((*resource).to_owned()),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
    let review = SelfSubjectAccessReview { metadata: ObjectMeta::default(), spec, status: None };
    let reviews = Api::<SelfSubjectAccessReview>::all(client.clone());
    let review = ask(reviews.create(&PostParams::default(), &review)).await?;
    Ok(review.status.is_some_and(|status| status.allowed))
}
