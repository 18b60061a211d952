//! Every way a workflow may be started, against what may be deployed.

use super::*;
use crate::release::Environment::{Production, Staging};
use serde_json::json;

const COMMIT: &str = "6f1d2c3b4a5968778695a4b3c2d1e0f112233445";
/// Thursday, 14:30 in New York.
const OPEN: &str = "2026-11-19T19:30:00Z";
const CLOSED: &str = "2026-11-20T19:30:00Z";

fn source(version: &str) -> Source {
    Source { commit: COMMIT.to_owned(), version: version.parse().unwrap() }
}

/// All three services of one tag; the workflow noted nothing.
fn running(tag: &str) -> Deployed {
    running_with(tag, &json!({}))
}

fn running_with(tag: &str, annotations: &serde_json::Value) -> Deployed {
    let items = ["auth-service", "user-service", "org-service"].map(|name| {
        let containers = json!([{ "name": name, "image": format!("api-platform/{name}:{tag}") }]);
        let metadata = json!({ "name": name, "annotations": annotations });
        json!({ "metadata": metadata, "spec": { "template": { "spec": { "containers": containers } } } })
    });
    Deployed::parse(&json!({ "items": items }).to_string()).unwrap()
}

fn pushed(payload: &str) -> Trigger {
    Trigger::parse("push", payload).unwrap()
}

fn dispatched(chosen: &str, hotfix: &str) -> Trigger {
    let payload = json!({ "ref": format!("refs/heads/{chosen}"), "inputs": { "hotfix": hotfix } });
    Trigger::parse("workflow_dispatch", &payload.to_string()).unwrap()
}

fn production_at(now: &str, trigger: &Trigger, version: &str, running_tag: &str) -> String {
    let decided = decide(Production, trigger, &source(version), &running(running_tag), now.parse().unwrap());
    match decided {
        Ok(Decision::Deploy { tag, .. }) => format!("deploys {tag}"),
        Ok(Decision::Nothing { reason }) => reason,
        Err(error) => format!("refused: {error}"),
    }
}

#[test]
fn a_push_to_main_deploys_its_version_in_the_window_only() {
    let push = pushed(include_str!("../events/push.json"));
    assert_eq!(production_at(OPEN, &push, "0.1.0", "0.0.9"), "deploys 0.1.0");
    assert!(production_at(CLOSED, &push, "0.1.0", "0.0.9").starts_with("0.1.0 waits: deployments are on Thursdays"));
}

#[test]
fn what_is_deployed_already_or_is_older_is_nothing_to_do_whatever_the_hour() {
    let tag = pushed(include_str!("../events/tag.json"));
    for now in [OPEN, CLOSED] {
        assert_eq!(production_at(now, &tag, "0.1.0", "0.1.0"), "nothing to do: 0.1.0 is deployed already");
        assert!(production_at(now, &tag, "0.1.0", "0.1.1").starts_with("0.1.0 is older than what is deployed"));
    }
}

#[test]
fn another_commit_of_a_version_that_runs_is_told_to_raise_it() {
    let push = pushed(include_str!("../events/push.json"));
    let decided = |commit: &str| {
        let deployed = running_with("0.1.0", &json!({ "api-platform/released": format!("0.1.0 from {commit}") }));
        let decision = decide(Production, &push, &source("0.1.0"), &deployed, OPEN.parse().unwrap()).unwrap();
        assert!(matches!(decision, Decision::Nothing { .. }));
        decision.reason().to_owned()
    };
    assert_eq!(decided(COMMIT), "nothing to do: 0.1.0 is deployed already");
    let told = "nothing is deployed: 0.1.0 runs already, from commit 77aa; raise the version to deploy this one";
    assert_eq!(decided("77aa"), told);
}

#[test]
fn a_hotfix_needs_a_reason_outside_the_window_and_says_it() {
    assert!(production_at(CLOSED, &dispatched("main", " "), "0.1.0", "0.0.9").contains("waits"));
    let hotfix = dispatched("main", "logins fail");
    let decided = decide(Production, &hotfix, &source("0.1.0"), &running("0.0.9"), CLOSED.parse().unwrap()).unwrap();
    assert_eq!(decided.reason(), format!("0.1.0 is deployed from {COMMIT}: logins fail"));
}

#[test]
fn the_window_is_new_yorks_afternoon_in_summer_and_in_winter() {
    let push = pushed(include_str!("../events/push.json"));
    for (now, open) in [
        ("2026-07-16T17:59:59Z", false),
        ("2026-07-16T18:00:00Z", true),
        ("2026-07-16T19:59:59Z", true),
        ("2026-07-16T20:00:00Z", false),
        ("2026-11-19T18:59:59Z", false),
        ("2026-11-19T19:00:00Z", true),
        ("2026-11-19T20:59:59Z", true),
        ("2026-11-19T21:00:00Z", false),
        ("2026-11-18T19:30:00Z", false),
    ] {
        assert_eq!(production_at(now, &push, "0.1.0", "0.0.9") == "deploys 0.1.0", open, "{now}");
    }
}

#[test]
fn tags_of_another_version_and_commits_that_are_not_checked_out_are_refused() {
    let tag = pushed(include_str!("../events/tag.json"));
    assert!(
        production_at(OPEN, &tag, "0.2.0", "0.1.0").starts_with("refused: v0.1.0 stands at a commit whose version")
    );
    let other = Trigger::Branch { name: "main".to_owned(), commit: "0".repeat(40) };
    assert!(production_at(OPEN, &other, "0.1.0", "0.0.9").starts_with("refused: the event is of commit 0000"));
    assert!(
        production_at(OPEN, &dispatched("feature", "x"), "0.1.0", "0.0.9").starts_with("refused: feature stands at")
    );
    assert!(production_at(OPEN, &Trigger::Schedule, "0.1.0", "0.0.9").starts_with("refused: "));
}

#[test]
fn staging_takes_each_commit_of_develop_once_and_no_other_branch() {
    let tag = "0.1.0-6f1d2c3b4a59";
    let decided = |trigger: &Trigger, running_tag: &str| {
        decide(Staging, trigger, &source("0.1.0"), &running(running_tag), CLOSED.parse().unwrap())
    };
    let develop = Trigger::Branch { name: "develop".to_owned(), commit: COMMIT.to_owned() };
    for trigger in [develop, Trigger::Schedule, dispatched("develop", "")] {
        assert!(
            matches!(decided(&trigger, "0.1.0-000000000000").unwrap(), Decision::Deploy { tag: to, .. } if to == tag)
        );
        assert!(matches!(decided(&trigger, tag).unwrap(), Decision::Nothing { .. }));
    }
    assert!(decided(&dispatched("feature", ""), tag).unwrap_err().to_string().contains("run it on develop"));
}

#[test]
fn a_branch_or_tag_that_was_removed_is_nothing_to_do() {
    let removal = Trigger::Removal;
    assert!(production_at(OPEN, &removal, "0.1.0", "0.0.9").starts_with("nothing to deploy"));
}
