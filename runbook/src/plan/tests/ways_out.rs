//! Each way out that a refusal names is taken, as it is typed: it gives a plan, or what it says.

use super::{file, observed, revision};
use crate::{
    cli::{Arguments, Command},
    commands::change::DeployWords,
    failure::Failure,
    observe::{Deployed, Migration, Observed, Past},
    place::Place,
    plan::{Plan, deploy, rollback},
    run::{self, Words},
    screen::{Form, Screen},
};
use clap::Parser as _;
use regex::Regex;
use runbook_file::RunbookFile;
use semver::Version;
use std::fmt::Write as _;

const USERS: &str = "20250101_create_users_table.sql";
const MFA: &str = "20250110_add_mfa_columns.sql";
const CONTRACTING: &str = "20250117_drop_old_columns.sql";
/// What an operator writes in the place of words that only they know.
const MEANT: [(&str, &str); 7] = [
    ("X.Y.Z", "1.2.4"),
    ("NEXT", "1.2.4"),
    ("RUN", "20250117-140000-3f2a"),
    ("ID", "api_platform-20250117-140000"),
    ("DUMP", "production-20250117-140000"),
    ("INSTANCE", "prod-db"),
    ("MOMENT", "2025-01-17T14:00:00Z"),
];

/// What is, and what git has: the files that each version brings.
#[derive(Clone)]
struct World {
    observed: Observed,
    releases: Vec<(&'static str, Vec<Migration>)>,
}

impl World {
    /// 1.2.3 serves, 1.2.2 did, and 1.2.4 is there.
    fn new() -> Self {
        let mut observed = observed();
        observed.schema.as_mut().unwrap().pending.clear();
        let releases = ["1.2.2", "1.2.3", "1.2.4"].map(|version| (version, vec![brings(USERS), brings(MFA)]));
        Self { observed, releases: releases.into() }
    }

    /// As it would be observed for a version; none: for a way back, which compares nothing with git.
    fn seen(&self, version: Option<&Version>) -> Observed {
        let mut seen = self.observed.clone();
        let Some(version) = version else { return Observed { commit: None, ..seen } };
        let release = self.releases.iter().find(|(known, _)| *known == version.to_string());
        seen.commit = release.map(|_| "5f2c0d6e9d5e4c1f8a7b6c5d4e3f2a1b0c9d8e7f".to_owned());
        if let (Some(schema), Some((_, files))) = (&mut seen.schema, release) {
            schema.pending = files.iter().filter(|file| !schema.applied.contains(&file.name)).cloned().collect();
        }
        seen
    }

    /// Plans what a line asks for, as the program reads it.
    fn types(&self, line: &str) -> Result<Plan, Failure> {
        let file = file();
        match &arguments(line).command {
            Command::Deploy { words: DeployWords { words, version }, .. } => {
                deploy(&request(&file, words), version, &self.seen(Some(version)))
            }
            Command::Rollback { words, to } => rollback(&request(&file, words), *to, &self.seen(None)),
            _ => panic!("{line} plans nothing"),
        }
    }

    /// Types a line, and where it is refused takes every way out, until each has led somewhere.
    fn tells(&self, line: &str, depth: usize) -> String {
        let margin = "    ".repeat(depth);
        let failure = match self.types(line) {
            Ok(plan) => return format!("{margin}{line}: a plan to {}\n", plan.version),
            Err(failure) => failure,
        };
        assert!(depth < 4, "{line}: the ways out lead in a circle");
        let ways = ways_out(&failure);
        assert!(!ways.is_empty(), "{failure:?} names no way out");
        let mut told = format!("{margin}{line}: {failure}\n");
        for way in ways {
            told += &self.takes(&way, line, depth + 1);
        }
        told
    }

    /// Takes a way out, and types again what was refused.
    fn takes(&self, way: &str, typed: &str, depth: usize) -> String {
        let line = meant(&way.replace('…', typed));
        if line.starts_with("runbook resume ") {
            assert!(matches!(arguments(&line).command, Command::Resume { .. }));
            return format!("{}{line}: goes on with that run\n", "    ".repeat(depth));
        }
        if line.starts_with("runbook ") {
            return self.after_a_deployment(&line, typed, depth);
        }
        let mut world = self.clone();
        let mut again = typed.to_owned();
        let mut told = String::new();
        for line in line.split(" && ") {
            let words = shlex::split(line).unwrap();
            world.does(&words.iter().map(String::as_str).collect::<Vec<_>>(), &mut again);
            let _ = writeln!(told, "{}{line}", "    ".repeat(depth));
        }
        told + &world.tells(&again, depth)
    }

    /// An older version that has to be there first is deployed, and then the wanted one.
    fn after_a_deployment(&self, line: &str, typed: &str, depth: usize) -> String {
        let told = self.tells(line, depth);
        let (Ok(plan), Command::Deploy { .. }) = (self.types(line), &arguments(typed).command) else { return told };
        if arguments(line).command.version() >= arguments(typed).command.version() {
            return told;
        }
        let mut world = self.clone();
        world.runs(&plan.version);
        told + &world.tells(typed, depth)
    }

    /// What a line of another program changes, and what is typed after it.
    fn does(&mut self, words: &[&str], again: &mut String) {
        match words {
            ["platform", "migrate", "down", name] => self.undoes(name),
            ["platform", "backup", "restore", _, "--folder", _, "--replace"]
            | ["platform", "backup", "restore", "--rds", _, "--at", _] => {
                self.observed.schema = World::new().observed.schema;
            }
            ["helm", "history", "api-platform", ..] => {
                let known = self.observed.helm.revisions[0].number;
                *again = format!("runbook rollback production --to {known}");
            }
            ["helm", "uninstall", "api-platform", ..] => {
                self.observed.helm.revisions.clear();
                self.observed.deployed.clear();
            }
            ["git", "rm", pattern] => {
                let stem = pattern.strip_prefix("migrations/").unwrap().strip_suffix(".*").unwrap();
                let (_, mut files) = self.releases.last().unwrap().clone();
                files.retain(|file| file.name != format!("{stem}.sql"));
                self.releases.push(("1.2.5", files));
                "runbook deploy production --version 1.2.5".clone_into(again);
            }
            _ => panic!("{words:?} is no way out that this knows"),
        }
    }

    /// As `platform migrate down` does: the newest alone can be undone.
    fn undoes(&mut self, name: &str) {
        let schema = self.observed.schema.as_mut().unwrap();
        assert_eq!(schema.applied.pop().as_deref(), Some(name), "only the newest can be undone");
        schema.oldest_app.take_if(|(_, by)| by == name);
    }

    /// As a deployment leaves it.
    fn runs(&mut self, version: &str) {
        let Observed { helm, deployed, schema, .. } = &mut self.observed;
        helm.revisions.push(revision(helm.next(), "deployed", version));
        for (name, Deployed { image, .. }) in deployed {
            *image = format!("api-platform/{name}:{version}");
        }
        schema.as_mut().unwrap().running = vec![format!("auth-service {version}")];
    }

    fn leaves_behind(&mut self, oldest: [u64; 3], by: &str) {
        let [major, minor, patch] = oldest;
        let schema = self.observed.schema.as_mut().unwrap();
        schema.oldest_app = Some((Version::new(major, minor, patch), by.to_owned()));
    }
}

impl Command {
    fn version(&self) -> Option<&Version> {
        match self {
            Self::Deploy { words, .. } => Some(&words.version),
            _ => None,
        }
    }
}

fn brings(name: &str) -> Migration {
    Migration { name: name.to_owned(), oldest_app: None, has_down: true }
}

/// As the program reads it: what it does not understand is no way out.
fn arguments(line: &str) -> Arguments {
    let words = shlex::split(line).unwrap();
    Arguments::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn request<'a>(file: &'a RunbookFile, words: &'a Words) -> crate::request::Request<'a> {
    run::target(file, &words.environment).unwrap().request(file, words, "2025-01-17T14:00:00Z".parse().unwrap())
}

/// The commands that a refusal names; … stands for what was typed.
fn ways_out(failure: &Failure) -> Vec<String> {
    let command = Regex::new(r"(?:…|\b(?:runbook|platform|helm|git)) (?:--|[a-z])[^;\n]*").unwrap();
    let texts = failure.why.iter().chain(&failure.cure);
    let mut ways: Vec<String> = vec![];
    for way in texts.flat_map(|text| command.find_iter(text)) {
        if !ways.iter().any(|known| known == way.as_str()) {
            ways.push(way.as_str().to_owned());
        }
    }
    ways
}

fn meant(way: &str) -> String {
    let way = way.split("    #").next().unwrap_or_default();
    MEANT.iter().fold(way.to_owned(), |way, (unknown, known)| {
        Regex::new(&format!(r"\b{}\b", regex::escape(unknown))).unwrap().replace_all(&way, *known).into_owned()
    })
}

fn told(world: &World, line: &str) -> String {
    world.tells(line, 0)
}

#[test]
fn nothing_is_deployed() {
    let mut world = World::new();
    world.observed.deployed.clear();
    world.observed.helm.revisions.clear();
    insta::assert_snapshot!(told(&world, "runbook rollback production"), @"
    runbook rollback production: nothing is deployed in production
        runbook deploy production --version 1.2.4: a plan to 1.2.4
    ");
    insta::assert_snapshot!(told(&world, "runbook rollback production --via kubectl"), @"
    runbook rollback production --via kubectl: nothing is deployed in production
        runbook deploy production --via kubectl --version 1.2.4: a plan to 1.2.4
    ");
}

#[test]
fn the_schema_cannot_be_asked() {
    let mut world = World::new();
    world.observed.schema = None;
    world.observed.unseen = Some("too many connections".into());
    insta::assert_snapshot!(told(&world, "runbook rollback production --to 1"), @r#"
    runbook rollback production --to 1: whether an older version can start on the schema could not be asked
        runbook rollback production --to 1 --reason "WHY IT HAS TO BE TRIED": a plan to 1.2.2
    "#);
    insta::assert_snapshot!(told(&world, "runbook rollback production --via kubectl"), @r#"
    runbook rollback production --via kubectl: whether an older version can start on the schema could not be asked
        runbook rollback production --via kubectl --reason "WHY IT HAS TO BE TRIED": a plan to 1.2.2
    "#);
}

#[test]
fn helm_does_not_remember_the_revision() {
    insta::assert_snapshot!(told(&World::new(), "runbook rollback production --to 41"), @"
    runbook rollback production --to 41: helm remembers no revision 41 of api-platform
        helm history api-platform -n production --kube-context prod-us-east-1 --kubeconfig /etc/kube/prod
        runbook rollback production --to 1: a plan to 1.2.2
    ");
}

#[test]
fn a_revision_of_helm_is_no_number_of_a_deployment() {
    insta::assert_snapshot!(told(&World::new(), "runbook rollback production --via kubectl --to 1"), @"
    runbook rollback production --via kubectl --to 1: --to is a revision of helm; Deployments are numbered one by one
        runbook rollback production --via kubectl: a plan to 1.2.2
    ");
}

#[test]
fn there_is_no_earlier_version() {
    let mut world = World::new();
    world.observed.helm.revisions.remove(0);
    world.observed.deployed.values_mut().for_each(|deployed| drop(deployed.history.remove(0)));
    insta::assert_snapshot!(told(&world, "runbook rollback production"), @"
    runbook rollback production: there is no earlier version of production to go back to
        runbook deploy production --version 1.2.4: a plan to 1.2.4
    ");
    insta::assert_snapshot!(told(&world, "runbook rollback production --via kubectl"), @"
    runbook rollback production --via kubectl: there is no earlier version of production to go back to
        runbook deploy production --via kubectl --version 1.2.4: a plan to 1.2.4
    ");
}

#[test]
fn every_earlier_version_was_rolled_back() {
    let mut world = World::new();
    world.observed.blocked.insert("1.2.2".into(), "errors at sign-in".into());
    world.observed.blocked.insert("1.2.4".into(), "errors at sign-in".into());
    insta::assert_snapshot!(told(&world, "runbook rollback production"), @r#"
    runbook rollback production: there is no earlier version of production to go back to
        runbook deploy production --version 1.2.4: 1.2.4 was rolled back from production: errors at sign-in
            runbook deploy production --version 1.2.4 --reason "WHY IT WORKS NOW": a plan to 1.2.4
    "#);
    insta::assert_snapshot!(told(&world, "runbook rollback production --via kubectl"), @r#"
    runbook rollback production --via kubectl: there is no earlier version of production to go back to
        runbook deploy production --via kubectl --version 1.2.4: 1.2.4 was rolled back from production: errors at sign-in
            runbook deploy production --via kubectl --version 1.2.4 --reason "WHY IT WORKS NOW": a plan to 1.2.4
    "#);
}

#[test]
fn the_older_image_needs_a_migration_that_was_undone() {
    let mut world = World::new();
    world.undoes(MFA);
    insta::assert_snapshot!(told(&world, "runbook rollback production"), @"
    runbook rollback production: 1.2.2 cannot start: it needs the migration 20250110_add_mfa_columns.sql, which is not applied
        runbook deploy production --version 1.2.2: a plan to 1.2.2
    ");
    insta::assert_snapshot!(told(&world, "runbook rollback production --to 1"), @"
    runbook rollback production --to 1: 1.2.2 cannot start: it needs the migration 20250110_add_mfa_columns.sql, which is not applied
        runbook deploy production --version 1.2.2: a plan to 1.2.2
    ");
    insta::assert_snapshot!(told(&world, "runbook rollback production --via kubectl"), @"
    runbook rollback production --via kubectl: 1.2.2 cannot start: it needs the migration 20250110_add_mfa_columns.sql, which is not applied
        runbook deploy production --via kubectl --version 1.2.2: a plan to 1.2.2
    ");
}

#[test]
fn an_applied_migration_has_left_the_older_image_behind() {
    let mut world = World::new();
    world.observed.helm.revisions.iter_mut().for_each(|revision| revision.schema_needs = Some(USERS.into()));
    let past = world.observed.deployed.values_mut().flat_map(|deployed| &mut deployed.history);
    past.for_each(|past: &mut Past| past.schema_needs = Some(USERS.into()));
    world.leaves_behind([1, 2, 3], MFA);
    insta::assert_snapshot!(told(&world, "runbook rollback production"), @"
    runbook rollback production: 1.2.2 cannot run any more: after 20250110_add_mfa_columns.sql only 1.2.3 and newer can
        runbook deploy production --version 1.2.4: a plan to 1.2.4
        platform migrate down 20250110_add_mfa_columns.sql
        runbook rollback production: a plan to 1.2.2
        platform backup restore api_platform-20250117-140000 --folder .runbook/backups/production-20250117-140000 --replace
        runbook rollback production: a plan to 1.2.2
        platform backup restore --rds prod-db --at 2025-01-17T14:00:00Z
        runbook rollback production: a plan to 1.2.2
    ");
    insta::assert_snapshot!(told(&world, "runbook rollback production --via kubectl"), @"
    runbook rollback production --via kubectl: 1.2.2 cannot run any more: after 20250110_add_mfa_columns.sql only 1.2.3 and newer can
        runbook deploy production --via kubectl --version 1.2.4: a plan to 1.2.4
        platform migrate down 20250110_add_mfa_columns.sql
        runbook rollback production --via kubectl: a plan to 1.2.2
        platform backup restore api_platform-20250117-140000 --folder .runbook/backups/production-20250117-140000 --replace
        runbook rollback production --via kubectl: a plan to 1.2.2
        platform backup restore --rds prod-db --at 2025-01-17T14:00:00Z
        runbook rollback production --via kubectl: a plan to 1.2.2
    ");
    insta::assert_snapshot!(told(&world, "runbook deploy production --version 1.2.2"), @"
    runbook deploy production --version 1.2.2: 1.2.2 cannot run any more: after 20250110_add_mfa_columns.sql only 1.2.3 and newer can
        runbook deploy production --version 1.2.4: a plan to 1.2.4
        platform migrate down 20250110_add_mfa_columns.sql
        runbook deploy production --version 1.2.2: a plan to 1.2.2
        platform backup restore api_platform-20250117-140000 --folder .runbook/backups/production-20250117-140000 --replace
        runbook deploy production --version 1.2.2: a plan to 1.2.2
        platform backup restore --rds prod-db --at 2025-01-17T14:00:00Z
        runbook deploy production --version 1.2.2: a plan to 1.2.2
    ");
}

#[test]
fn a_migration_under_others_has_left_the_older_image_behind() {
    let mut world = World::new();
    world.observed.helm.revisions.iter_mut().for_each(|revision| revision.schema_needs = None);
    world.leaves_behind([1, 2, 3], USERS);
    insta::assert_snapshot!(told(&world, "runbook rollback production"), @"
    runbook rollback production: 1.2.2 cannot run any more: after 20250101_create_users_table.sql only 1.2.3 and newer can
        runbook deploy production --version 1.2.4: a plan to 1.2.4
        platform migrate down 20250110_add_mfa_columns.sql
        platform migrate down 20250101_create_users_table.sql
        runbook rollback production: a plan to 1.2.2
        platform backup restore api_platform-20250117-140000 --folder .runbook/backups/production-20250117-140000 --replace
        runbook rollback production: a plan to 1.2.2
        platform backup restore --rds prod-db --at 2025-01-17T14:00:00Z
        runbook rollback production: a plan to 1.2.2
    ");
}

#[test]
fn helm_may_be_at_work_or_was_never_done() {
    let mut world = World::new();
    let updated = "2025-01-17T13:50:00Z".parse().unwrap();
    let pending = crate::observe::Revision { updated, ..revision(3, "pending-upgrade", "1.2.4") };
    world.observed.helm.revisions.push(pending);
    insta::assert_snapshot!(told(&world, "runbook rollback production --to 1"), @r#"
    runbook rollback production --to 1: revision 3 is pending-upgrade since 10 min: a helm may still be at it
        runbook resume 20250117-140000-3f2a: goes on with that run
        runbook rollback production --to 1 --reason "THAT HELM IS GONE": a plan to 1.2.2
    "#);
    insta::assert_snapshot!(told(&world, "runbook deploy production --version 1.2.4"), @r#"
    runbook deploy production --version 1.2.4: revision 3 is pending-upgrade since 10 min: a helm may still be at it
        runbook resume 20250117-140000-3f2a: goes on with that run
        runbook deploy production --version 1.2.4 --reason "THAT HELM IS GONE": a plan to 1.2.4
    "#);
    world.observed.helm.revisions = vec![revision(1, "failed", "1.2.2"), revision(2, "pending-upgrade", "1.2.3")];
    insta::assert_snapshot!(told(&world, "runbook rollback production --to 1"), @"
    runbook rollback production --to 1: revision 2 is pending-upgrade, and no other was ever rolled out
        runbook resume 20250117-140000-3f2a: goes on with that run
        helm uninstall api-platform -n production --kube-context prod-us-east-1 --kubeconfig /etc/kube/prod
        runbook rollback production --to 1: nothing is deployed in production
            runbook deploy production --version 1.2.4: a plan to 1.2.4
    ");
}

#[tokio::test]
async fn nobody_can_be_asked_about_production() {
    let words = |line: &str| match arguments(line).command {
        Command::Rollback { words, .. } => words,
        _ => panic!("{line} is no way back"),
    };
    let place = Place { folder: ".".into(), screen: Screen::find(Some(Form::Plain)) };
    let typed = "runbook rollback production --to 1";
    let refused = run::confirm(&place, "production", &words(typed)).await.unwrap_err();
    insta::assert_snapshot!(refused, @"this is about production, and nobody can be asked");
    let way = ways_out(&refused)[0].replace('…', typed);
    assert_eq!(way, "runbook rollback production --to 1 --environment-name production");
    run::confirm(&place, "production", &words(&way)).await.unwrap();
}

#[test]
fn a_migration_would_leave_behind_what_runs() {
    let contracting = |oldest| Migration { oldest_app: Some(oldest), ..brings(CONTRACTING) };
    let mut world = World::new();
    world.releases.retain(|(version, _)| *version != "1.2.4");
    let files = vec![brings(USERS), brings(MFA)];
    let next = [files.clone(), vec![contracting(Version::new(1, 2, 4))]].concat();
    world.releases.push(("1.2.4", next.clone()));
    insta::assert_snapshot!(told(&world, "runbook deploy production --version 1.2.4"), @"
    runbook deploy production --version 1.2.4: 20250117_drop_old_columns.sql needs images of 1.2.4 or newer, and auth-service 1.2.3 runs or would
        git rm migrations/20250117_drop_old_columns.*
        runbook deploy production --version 1.2.5: a plan to 1.2.5
    ");
    world.releases.pop();
    world.releases.extend([("1.2.4", files), ("1.2.5", next)]);
    insta::assert_snapshot!(told(&world, "runbook deploy production --version 1.2.5"), @"
    runbook deploy production --version 1.2.5: 20250117_drop_old_columns.sql needs images of 1.2.4 or newer, and auth-service 1.2.3 runs or would
        runbook deploy production --version 1.2.4: a plan to 1.2.4
        runbook deploy production --version 1.2.5: a plan to 1.2.5
    ");
}
