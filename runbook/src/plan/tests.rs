//! Plans by snapshot, without a cluster.

mod heal;
pub(crate) mod way_back;
mod ways_out;

use super::{Plan, deploy, rollback};
use crate::{
    exit::Exit,
    failure::Failure,
    journal::Event,
    observe::{Deployed, Helm, Migration, Observed, Past, Revision, Schema},
    programs::registry::Published,
    request::{Request, Via},
};
use proptest::prelude::*;
use runbook_file::RunbookFile;
use semver::Version;
use std::{fmt::Write as _, path::PathBuf};

pub(crate) fn file() -> RunbookFile {
    let file = r#"
        [environments.production]
        url = "https://api.example.com"
        values = "helm/values-prod.yaml"
        manifests = "k8s/production"
        cluster = { kubeconfig = "/etc/kube/prod", context = "prod-us-east-1", namespace = "production" }
        aws = { profile = "production", region = "us-east-1" }
        database = { kind = "rds", instance = "prod-db", url = { env = "DATABASE_URL" }, owner_url = { env = "OWNER_URL" } }
        [services.auth-service]
        image = "api-platform/auth-service"
        dockerfile = "services/auth/Dockerfile"
        [services.user-service]
        image = "api-platform/user-service"
        dockerfile = "services/user/Dockerfile"
    "#;
    RunbookFile::parse(file).unwrap()
}

/// What is asked of the file's environment.
pub(crate) fn request(file: &RunbookFile, via: Option<Via>) -> Request<'_> {
    let (name, environment) = &file.environments[0];
    Request {
        name,
        environment,
        cluster: environment.cluster.as_ref().unwrap(),
        services: &file.services,
        via,
        made_at: "2025-01-17T14:00:00Z".parse().unwrap(),
        reason: None,
    }
}

fn revision(number: u32, status: &str, version: &str) -> Revision {
    let schema_needs = Some("20250110_add_mfa_columns.sql".into());
    let updated = "2025-01-17T12:00:00Z".parse().unwrap();
    Revision { number, status: status.into(), version: version.into(), schema_needs, updated }
}

/// Version 1.2.3 serves, 1.2.2 did, and a migration is pending.
pub(crate) fn observed() -> Observed {
    let deployed = |name: &str| {
        let image = |version: &str| format!("api-platform/{name}:{version}");
        let past = |revision, version| Past {
            revision,
            image: image(version),
            schema_needs: Some("20250110_add_mfa_columns.sql".into()),
        };
        let deployed = Deployed {
            image: image("1.2.3"),
            revision: 2,
            history: vec![past(1, "1.2.2"), past(2, "1.2.3")],
            taken_by: vec![],
        };
        (name.to_owned(), deployed)
    };
    let pending = Migration { name: "20250117_add_webhooks_table.sql".into(), oldest_app: None, has_down: true };
    Observed {
        commit: Some("5f2c0d6e9d5e4c1f8a7b6c5d4e3f2a1b0c9d8e7f".into()),
        helm: Helm { major: 3, revisions: vec![revision(1, "superseded", "1.2.2"), revision(2, "deployed", "1.2.3")] },
        deployed: ["auth-service", "user-service"].map(deployed).into(),
        schema: Some(Schema {
            pending: vec![pending],
            applied: vec!["20250101_create_users_table.sql".into(), "20250110_add_mfa_columns.sql".into()],
            running: vec!["auth-service 1.2.3".into()],
            ..Schema::default()
        }),
        content: ["helm/api-platform", "helm/values-prod.yaml", "k8s/production"].map(as_it_is).into(),
        ..Observed::default()
    }
}

fn as_it_is(path: &str) -> (PathBuf, String) {
    (path.into(), hex::encode([0x3f; 32]))
}

/// A run of a plan, as its journal begins.
pub(crate) fn began(run: &str, plan: Plan) -> Event {
    let made_at = "2025-01-17T14:00:00Z".parse().unwrap();
    Event::Began { run: run.into(), by: "ada@laptop".into(), reason: None, hotfix: false, made_at, plan: plan.into() }
}

pub(crate) fn planned(via: Option<Via>, version: &str, observed: &Observed) -> Result<Plan, Failure> {
    let (file, version) = (file(), version.parse::<Version>().unwrap());
    deploy(&request(&file, via), &version, observed)
}

pub(crate) fn rolled_back(via: Option<Via>, to: Option<u32>, observed: &Observed) -> Result<Plan, Failure> {
    let file = file();
    rollback(&request(&file, via), to, observed)
}

/// Ids and commands, as a reader sees the plan.
fn shown(plan: &Plan) -> String {
    let mut text = String::new();
    for notice in &plan.notices {
        let _ = writeln!(text, "! {notice}");
    }
    for (before, steps) in [("", &plan.steps), ("back: ", &plan.back)] {
        for step in steps {
            let _ = writeln!(text, "{before}{} {}", step.id, step.title);
            step.command.lines().for_each(|line| text.extend(["    ", line, "\n"]));
            if let Some(undone_by) = &step.undone_by {
                let _ = writeln!(text, "    undone by: {undone_by}");
            }
        }
    }
    text
}

#[test]
fn a_deployment_by_helm() {
    insta::assert_snapshot!(shown(&planned(None, "1.2.4", &observed()).unwrap()));
}

#[test]
fn a_deployment_by_kubectl() {
    insta::assert_snapshot!(shown(&planned(Some(Via::Kubectl), "1.2.4", &observed()).unwrap()));
}

#[test]
fn a_rollback_by_helm() {
    insta::assert_snapshot!(shown(&rolled_back(None, None, &observed()).unwrap()));
}

#[test]
fn a_rollback_by_kubectl() {
    insta::assert_snapshot!(shown(&rolled_back(Some(Via::Kubectl), None, &observed()).unwrap()));
}

#[test]
fn what_is_there_already_is_not_done() {
    let mut observed = observed();
    let refused = |observed: &Observed, version: &str| planned(None, version, observed).unwrap_err();
    assert!(planned(None, "1.2.3", &observed).is_ok(), "a migration is pending");
    observed.schema.as_mut().unwrap().pending.clear();
    assert_eq!(refused(&observed, "1.2.3").exit, Exit::NothingToDo);
    observed.helm.revisions.push(revision(3, "pending-upgrade", "1.2.3"));
    assert!(planned(None, "1.2.3", &observed).is_ok(), "helm has unfinished business");
}

#[test]
fn another_content_of_what_is_applied_is_another_plan() {
    let hash = |via, path: Option<&str>| {
        let mut observed = observed();
        observed.content.extend(path.map(|path| (path.into(), hex::encode([0x40; 32]))));
        planned(via, "1.2.4", &observed).unwrap().hash()
    };
    for (via, paths) in
        [(Via::Helm, &["helm/api-platform", "helm/values-prod.yaml"][..]), (Via::Kubectl, &["k8s/production"])]
    {
        for path in paths {
            assert_ne!(hash(Some(via), Some(path)), hash(Some(via), None), "{path}");
        }
    }
    assert_eq!(hash(None, Some("k8s/production")), hash(None, None), "helm reads no manifests");
}

#[test]
fn a_way_back_reads_no_file() {
    let observed = Observed { content: [].into(), ..observed() };
    for via in [Via::Helm, Via::Kubectl] {
        rolled_back(Some(via), None, &observed).unwrap();
        assert!(planned(Some(via), "1.2.4", &observed).is_err());
    }
}

#[test]
fn a_first_deployment_has_no_way_back_and_says_so() {
    let schema = observed().schema;
    let Observed { commit, content, .. } = observed();
    let first = Observed { commit, schema, content, ..Observed::default() };
    let plan = planned(None, "1.2.4", &first).unwrap();
    assert!(plan.back.is_empty() && plan.notices.iter().any(|notice| notice.starts_with("a first deployment")));
    assert_eq!(rolled_back(None, None, &first).unwrap_err().to_string(), "nothing is deployed in production");
}

#[test]
fn a_version_that_was_rolled_back_is_deployed_again_only_with_a_reason() {
    let mut observed = observed();
    observed.blocked.insert("1.2.4".into(), "errors at sign-in".into());
    let refused = planned(None, "1.2.4", &observed).unwrap_err();
    assert_eq!(refused.to_string(), "1.2.4 was rolled back from production: errors at sign-in");
    let file = file();
    let wanted = Version::new(1, 2, 4);
    let request = Request { reason: Some("the mail server is back"), ..request(&file, None) };
    deploy(&request, &wanted, &observed).unwrap();
}

#[test]
fn images_that_are_not_there_or_of_another_commit_are_refused_before_anything_is_migrated() {
    let image = "registry.test/api-platform/auth-service:1.2.4";
    let published =
        |revision: Option<&str>| Published { digest: "sha256:00".into(), revision: revision.map(str::to_owned) };
    let with = |published| Observed { images: Some([(image.to_owned(), published)].into()), ..observed() };
    let refused = |published| planned(None, "1.2.4", &with(published)).unwrap_err().to_string();
    insta::assert_snapshot!(refused(None), @"registry.test/api-platform/auth-service:1.2.4 is not in its registry");
    insta::assert_snapshot!(refused(Some(published(None))), @"registry.test/api-platform/auth-service:1.2.4 is of a commit that it does not name, and 1.2.4 is 5f2c0d6e9d5e4c1f8a7b6c5d4e3f2a1b0c9d8e7f");
    insta::assert_snapshot!(refused(Some(published(Some("00")))), @"registry.test/api-platform/auth-service:1.2.4 is of 00, and 1.2.4 is 5f2c0d6e9d5e4c1f8a7b6c5d4e3f2a1b0c9d8e7f");
    let commit = observed().commit.unwrap();
    let plan = planned(None, "1.2.4", &with(Some(published(Some(&commit))))).unwrap();
    assert!(!plan.notices.iter().any(|notice| notice.contains("registry")), "{:?}", plan.notices);
}

#[test]
fn a_migration_that_would_leave_what_runs_behind_is_refused() {
    let mut observed = observed();
    observed.schema.as_mut().unwrap().pending[0].oldest_app = Some(Version::new(1, 2, 4));
    let refused = planned(None, "1.2.4", &observed).unwrap_err();
    assert_eq!(refused.exit, Exit::Refused);
    insta::assert_snapshot!(refused, @"20250117_add_webhooks_table.sql needs images of 1.2.4 or newer, and auth-service 1.2.3 runs or would");
    // Nobody was seen to run within the last minutes: what is deployed will again.
    observed.schema.as_mut().unwrap().running.clear();
    assert_eq!(planned(None, "1.2.4", &observed).unwrap_err().to_string(), refused.to_string());
}

#[test]
fn a_rollback_goes_to_what_was_seen_to_work_and_never_to_the_same_image() {
    let mut observed = observed();
    observed.helm.revisions = vec![
        revision(1, "superseded", "1.2.1"),
        revision(2, "failed", "1.2.2"),
        revision(3, "superseded", "1.2.3"),
        revision(4, "deployed", "1.2.3"),
    ];
    let to = |observed: &Observed| super::rollback::target(observed).map(|revision| revision.number);
    assert_eq!(to(&observed), Some(1), "2 failed, and 3 is the same image");
    observed.verified = vec![2];
    assert_eq!(to(&observed), Some(2), "it was verified");
    observed.blocked.insert("1.2.2".into(), "broken".into());
    observed.blocked.insert("1.2.1".into(), "broken".into());
    assert_eq!(to(&observed), None);
    insta::assert_snapshot!(rolled_back(None, None, &observed).unwrap_err(), @"there is no earlier version of production to go back to");
}

#[test]
fn a_database_that_cannot_be_asked_keeps_nobody_from_a_rollback_who_has_a_reason() {
    let observed = Observed { schema: None, unseen: Some("too many connections".into()), ..observed() };
    let refused = rolled_back(None, None, &observed).unwrap_err();
    assert_eq!(refused.to_string(), "whether an older version can start on the schema could not be asked");
    let file = file();
    let request = Request { reason: Some("it is what eats the connections"), ..request(&file, None) };
    let plan = rollback(&request, None, &observed).unwrap();
    assert!(plan.notices[0].ends_with("too many connections"), "{:?}", plan.notices);
}

#[test]
fn a_rollback_leaves_what_failed_and_not_what_served_before_it() {
    let mut observed = observed();
    observed.helm.revisions.push(revision(3, "failed", "1.2.4"));
    let plan = rolled_back(None, None, &observed).unwrap();
    assert_eq!(plan.version, "1.2.3", "1.2.2 is one too far");
}

#[test]
fn a_rollback_of_half_a_deployment_by_kubectl_takes_back_only_that_half() {
    let mut observed = observed();
    let auth = observed.deployed.get_mut("auth-service").unwrap();
    auth.image = "api-platform/auth-service:1.2.4".into();
    auth.revision = 3;
    let newest = Past { revision: 3, image: auth.image.clone(), schema_needs: None };
    auth.history.push(newest);
    let plan = rolled_back(Some(Via::Kubectl), None, &observed).unwrap();
    assert_eq!(plan.version, "1.2.3");
    let undone: Vec<_> =
        plan.steps.iter().filter(|step| step.id.starts_with("rollback.2")).map(|step| &step.id).collect();
    assert_eq!(undone, ["rollback.2.undo.auth-service"]);
}

#[test]
fn a_rollback_to_an_image_that_could_not_start_is_refused_with_the_ways_out() {
    let mut observed = observed();
    observed.schema.as_mut().unwrap().oldest_app = Some((Version::new(1, 2, 3), "20250110_add_mfa_columns.sql".into()));
    for via in [Via::Helm, Via::Kubectl] {
        let refused = rolled_back(Some(via), None, &observed).unwrap_err();
        assert!(refused.to_string().starts_with("1.2.2 cannot run any more"), "{refused}");
        assert!(refused.why.unwrap().contains("(3) restore"));
    }
}

#[test]
fn helm_4_takes_back_what_kubectl_took_and_nothing_from_others() {
    let mut observed = observed();
    observed.helm.major = 4;
    let line = |observed: &Observed| shown(&planned(None, "1.2.4", observed).unwrap());
    assert!(!line(&observed).contains("--force-conflicts"));
    observed.deployed.get_mut("auth-service").unwrap().taken_by = vec!["kubectl-set".into()];
    let lines = |plan: Plan| {
        let helms = plan.steps.iter().chain(&plan.back).flat_map(|step| step.undone_by.iter().chain([&step.command]));
        let changing =
            helms.filter(|line| ["helm upgrade", "helm rollback"].iter().any(|start| line.starts_with(start)));
        changing.map(|line| line.ends_with(" --server-side=true --force-conflicts")).collect::<Vec<_>>()
    };
    assert_eq!(
        lines(planned(None, "1.2.4", &observed).unwrap()),
        [true; 3],
        "forward, what undoes it, and the way back"
    );
    assert_eq!(lines(rolled_back(None, None, &observed).unwrap()), [true]);
    observed.helm.revisions.push(revision(3, "pending-upgrade", "1.2.4"));
    assert_eq!(lines(planned(None, "1.2.4", &observed).unwrap()), [true; 4], "what heals it as well");
    observed.helm.major = 3;
    assert_eq!(lines(planned(None, "1.2.4", &observed).unwrap()), [false; 4], "helm 3 has no such flag");
    observed.helm.major = 4;
    observed.deployed.get_mut("user-service").unwrap().taken_by = vec!["flagger".into()];
    let refused = planned(None, "1.2.4", &observed).unwrap_err();
    assert_eq!(refused.to_string(), "flagger owns fields of the Deployments that helm would change");
    assert_eq!(rolled_back(None, None, &observed).unwrap_err().what, refused.what);
}

fn any_observed() -> impl Strategy<Value = Observed> {
    let status = prop::sample::select(vec!["deployed", "superseded", "failed", "pending-upgrade", "pending-rollback"]);
    let version = prop::sample::select(vec!["1.2.2", "1.2.3", "1.2.4"]);
    let revisions = prop::collection::vec((status, version), 0..6);
    let oldest = prop::option::of(prop::sample::select(vec!["1.2.2", "1.2.3", "1.2.4"]));
    (revisions, oldest, any::<bool>(), 3_u64..5).prop_map(|(revisions, oldest, is_pending, major)| {
        let numbered = (1..).zip(revisions).map(|(number, (status, version))| revision(number, status, version));
        let mut observed = observed();
        observed.helm = Helm { major, revisions: numbered.collect() };
        let schema = observed.schema.as_mut().unwrap();
        schema.oldest_app = oldest.map(|oldest| (oldest.parse().unwrap(), "20250110_add_mfa_columns.sql".to_owned()));
        if !is_pending {
            schema.pending.clear();
        }
        observed
    })
}

proptest! {
    #[test]
    fn whatever_was_observed_the_same_plan_comes_of_it_and_holds_the_rules(observed in any_observed()) {
        for made in [planned(None, "1.2.4", &observed), rolled_back(None, None, &observed)] {
            let Ok(plan) = made else { continue };
            let mut ids: Vec<_> = plan.steps.iter().chain(&plan.back).map(|step| &step.id).collect();
            let all = ids.len();
            ids.sort();
            ids.dedup();
            prop_assert_eq!(ids.len(), all, "a step is named twice");
            prop_assert_eq!(serde_json::from_str::<Plan>(&serde_json::to_string(&plan).unwrap()).unwrap().hash(), plan.hash());
            let oldest = observed.schema.as_ref().unwrap().oldest_app.as_ref();
            let may_run = oldest.is_none_or(|(oldest, _)| plan.version.parse::<Version>().unwrap() >= *oldest);
            prop_assert!(may_run, "{} would not start", plan.version);
            for step in plan.steps.iter().filter(|step| !step.does.is_question()) {
                prop_assert!(!step.command.is_empty());
            }
        }
        let again = planned(None, "1.2.4", &observed).map(|plan| plan.hash());
        prop_assert_eq!(again.ok(), planned(None, "1.2.4", &observed).map(|plan| plan.hash()).ok());
    }
}
