//! From one operator's folder to another's, by way of the cluster.

use super::{super::How, *};
use crate::{
    cluster::stand_in::{Fault, StandIn},
    exit::Exit,
    plan::tests as plans,
};
use tempfile::TempDir;

const RUN: &str = "20250117-140000-0000";
const PATH: &str = "/api/v1/namespaces/runbook/configmaps/run-20250117-140000-0000";

fn begin(folder: &Path) -> Journal {
    let plan = plans::planned(None, "1.2.4", &plans::observed()).unwrap();
    let began = plans::began(RUN, plan);
    Journal::begin(folder, RUN, began).unwrap()
}

fn did(step: &str, evidence: &str) -> Event {
    Event::Did { step: step.into(), how: How::Applied, evidence: evidence.into() }
}

fn text(folder: &Path) -> String {
    fs::read_to_string(path(folder, RUN)).unwrap()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn a_colleague_gets_the_journal_byte_by_byte_and_goes_on_with_it() {
    let (cluster, here, there) = (StandIn::start(), folder(), folder());
    let client = cluster.client("ada").await;
    let mut journal = begin(here.path());
    let mut copy = Copy::new(client.clone());
    copy.send(&journal).await.unwrap();
    journal.append(did("3.2.status", "postgresql://ada:hunter2@db/api: 1 pending\n")).unwrap();
    journal.append(Event::Doing { step: "3.4.backup".into() }).unwrap();
    copy.send(&journal).await.unwrap();
    assert!(cluster.written().last().unwrap() < &1_000, "only what is new is sent: {:?}", cluster.written());
    drop(journal);

    let mut fetched = fetch(&client, there.path(), RUN).await.unwrap();
    assert_eq!(text(there.path()), text(here.path()));
    assert!(!text(there.path()).contains("hunter2"));
    fetched.append(did("3.4.backup", "snapshot")).unwrap();
    Copy::new(client.clone()).send(&fetched).await.unwrap();
    drop(fetched);

    // What the first one left of its last line was never on the disk as a whole.
    let mut torn = text(here.path());
    torn.push_str("{\"at\":\"2025-01-17T14:00:00Z\",\"event\":\"doi");
    fs::write(path(here.path(), RUN), torn).unwrap();
    let back = fetch(&client, here.path(), RUN).await.unwrap();
    assert_eq!(back.entries().len(), 4);
    assert_eq!(text(there.path()), text(here.path()));
}

#[tokio::test]
async fn a_journal_that_is_further_than_its_copy_stays() {
    let (cluster, here) = (StandIn::start(), folder());
    let client = cluster.client("ada").await;
    let mut journal = begin(here.path());
    Copy::new(client.clone()).send(&journal).await.unwrap();
    journal.append(did("3.2.status", "")).unwrap();
    drop(journal);
    assert_eq!(fetch(&client, here.path(), RUN).await.unwrap().entries().len(), 2);
}

#[tokio::test]
async fn two_who_go_on_with_one_run_are_told_so() {
    let (cluster, here, there) = (StandIn::start(), folder(), folder());
    let client = cluster.client("ada").await;
    let mut journal = begin(here.path());
    let mut copy = Copy::new(client.clone());
    copy.send(&journal).await.unwrap();
    let mut other = fetch(&client, there.path(), RUN).await.unwrap();
    other.append(did("3.2.status", "theirs")).unwrap();
    Copy::new(client.clone()).send(&other).await.unwrap();
    journal.append(did("3.2.status", "ours")).unwrap();
    let refused = copy.send(&journal).await.unwrap_err();
    insta::assert_snapshot!(refused, @"somebody else went on with run 20250117-140000-0000");
    drop(journal);
    let refused = fetch(&client, here.path(), RUN).await.unwrap_err();
    insta::assert_snapshot!(refused, @"the journal of 20250117-140000-0000 here and its copy in the cluster differ");
}

#[tokio::test]
async fn a_copy_that_was_changed_is_refused() {
    let (cluster, here, there) = (StandIn::start(), folder(), folder());
    let client = cluster.client("ada").await;
    let mut journal = begin(here.path());
    journal.append(did("3.2.status", "1 pending")).unwrap();
    Copy::new(client.clone()).send(&journal).await.unwrap();
    let mut map = cluster.object(PATH).unwrap();
    let line = map["data"]["line-00002"].as_str().unwrap().replace("1 pending", "0 pending");
    map["data"]["line-00002"] = line.into();
    cluster.put(PATH, map);
    let refused = fetch(&client, there.path(), RUN).await.unwrap_err();
    assert_eq!(refused.exit, Exit::Refused);
    insta::assert_snapshot!(refused, @"the journal of 20250117-140000-0000 was changed: line 2");
    assert!(!path(there.path(), RUN).exists());
    let unknown = entries(&client, "20250101-000000-0000").await.unwrap_err();
    insta::assert_snapshot!(unknown, @"the cluster has no run 20250101-000000-0000");
}

#[tokio::test]
async fn what_did_not_arrive_is_sent_with_the_next_line() {
    let (cluster, here) = (StandIn::start(), folder());
    let client = cluster.client("ada").await;
    let mut journal = begin(here.path());
    let mut copy = Copy::new(client.clone());
    for fault in [Fault::Failing, Fault::AnswerLost, Fault::Dropped] {
        cluster.fault(fault);
        journal.append(did("3.2.status", "")).unwrap();
        copy.send(&journal).await.unwrap_err();
        cluster.fault(Fault::Nothing);
        copy.send(&journal).await.unwrap();
        assert_eq!(entries(&client, RUN).await.unwrap(), journal.entries(), "{fault:?}");
    }
}

#[tokio::test]
async fn however_much_it_shows_it_fits_into_256_kibibytes() {
    let (cluster, here) = (StandIn::start(), folder());
    let client = cluster.client("ada").await;
    let mut journal = begin(here.path());
    let mut copy = Copy::new(client.clone());
    for step in 0..60 {
        journal.append(did(&format!("step-{step}"), &"\u{1}a line of a log\n".repeat(10_000))).unwrap();
        copy.send(&journal).await.unwrap();
    }
    let map = cluster.object(PATH).unwrap();
    let size: usize = map["data"].as_object().unwrap().values().map(|line| line.as_str().unwrap().len()).sum();
    assert!(size <= 256 * 1024, "{size}");
    assert_eq!(entries(&client, RUN).await.unwrap(), journal.entries());
}

#[tokio::test]
async fn only_another_one_can_agree_and_only_while_it_runs() {
    let (cluster, here) = (StandIn::start(), folder());
    let (ada, bob, cleo) = (cluster.client("ada").await, cluster.client("bob").await, cluster.client("cleo").await);
    let mut journal = begin(here.path());
    let mut copy = Copy::new(ada.clone());
    copy.send(&journal).await.unwrap();
    let refused = approve(&ada, RUN).await.unwrap_err();
    assert_eq!(refused.exit, Exit::Refused);
    insta::assert_snapshot!(refused, @"ada began run 20250117-140000-0000");
    assert_eq!(approvals(&ada, RUN).await.unwrap(), [""; 0]);
    // At once, and one of them twice.
    let (first, second, third) = tokio::join!(approve(&bob, RUN), approve(&cleo, RUN), approve(&bob, RUN));
    assert_eq!((&*first.unwrap(), &*second.unwrap(), &*third.unwrap()), ("bob", "cleo", "bob"));
    let mut all = approvals(&ada, RUN).await.unwrap();
    all.sort();
    assert_eq!(all, ["bob", "cleo"]);
    // The holder does not stumble over them.
    journal.append(Event::Approved { by: "bob".into() }).unwrap();
    journal.append(Event::ended(Exit::Done)).unwrap();
    copy.send(&journal).await.unwrap();
    assert_eq!(approvals(&ada, RUN).await.unwrap().len(), 2);
    assert_eq!(cluster.object(PATH).unwrap()["metadata"]["labels"][STATE], "ended");
    let refused = approve(&bob, RUN).await.unwrap_err();
    insta::assert_snapshot!(refused, @"run 20250117-140000-0000 is over");
}

#[tokio::test]
async fn runs_are_listed_by_environment() {
    let (cluster, here) = (StandIn::start(), folder());
    let client = cluster.client("ada").await;
    let journal = begin(here.path());
    Copy::new(client.clone()).send(&journal).await.unwrap();
    let production = runs(&client, "production").await.unwrap();
    assert_eq!(production, [(RUN.to_owned(), journal.entries().to_vec())]);
    assert!(runs(&client, "staging").await.unwrap().is_empty());
}

#[tokio::test]
async fn the_oldest_copies_of_runs_that_are_over_are_deleted_and_of_no_other() {
    let cluster = StandIn::start();
    let client = cluster.client("ada").await;
    let path = |run: &str| format!("/api/v1/namespaces/runbook/configmaps/run-{run}");
    let put = |run: &str, environment: &str, state: &str| {
        let labels = json!({ ENVIRONMENT: environment, STATE: state });
        let metadata = json!({ "name": name(run), "namespace": NAMESPACE, "labels": labels });
        cluster.put(&path(run), json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata }));
    };
    put("20240101-000000-open", "production", "running");
    put("20240101-000000-0000", "staging", ENDED);
    let ended: Vec<_> = (0..KEPT + 3).map(|number| format!("20250117-1400{number:02}-0000")).collect();
    for run in &ended {
        put(run, "production", ENDED);
    }
    prune(&client, "production").await.unwrap();
    let left: Vec<_> = ended.iter().filter(|run| cluster.object(&path(run)).is_some()).collect();
    assert_eq!(left, ended[3..].iter().collect::<Vec<_>>());
    assert!(cluster.object(&path("20240101-000000-open")).is_some(), "it can be gone on with");
    assert!(cluster.object(&path("20240101-000000-0000")).is_some(), "it is another environment's");

    put("20240102-000000-0000", "production", ENDED);
    cluster.fault(Fault::Denied);
    let failure = prune(&client, "production").await.unwrap_err();
    insta::assert_snapshot!(failure, @"old runs of production in the cluster are not deleted: you may not");
}
