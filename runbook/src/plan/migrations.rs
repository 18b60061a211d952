//! Step 3 for a version: what is pending, and what it is done after.

use super::{
    Action, Section, Step,
    gate::{self, Candidate},
};
use crate::{
    failure::Failure,
    observe::{Migration, Observed, Schema},
    programs::aws::Aws,
    request::Request,
};
use runbook_file::Database;
use semver::Version;
use std::path::PathBuf;

/// None where the runbook does not reach the database; only a look where nothing is pending.
pub(super) fn steps(request: &Request<'_>, version: &str, observed: &Observed) -> Result<Vec<Step>, Failure> {
    let Some(database) = &request.environment.database else { return Ok(vec![]) };
    let commit = observed.commit.clone().ok_or_else(|| {
        Failure::refused(format!("git has no commit of {version}, and its migrations come from there"))
            .because("looked for: the tag, the release commit, and the workspace's version at HEAD")
            .cured_by("git fetch --tags")
    })?;
    let Some(schema) = &observed.schema else { return Ok(vec![]) };
    refuse_changed(version, schema)?;
    let status = |id: &str, title: &str| {
        let does = Action::MigrationStatus { commit: commit.clone() };
        step(id, title, "npm run migrate:status".to_owned(), does)
    };
    let before = status("3.2.status", "Verify migration scripts");
    gate::may_run(&request.the_same_way(), schema, &Candidate { version, schema_needs: None })?;
    if schema.pending.is_empty() {
        return Ok(vec![before]);
    }
    let must_run = must_run(request, version, observed);
    refuse_leaving_behind(request, version, schema, &must_run)?;
    refuse_without_owner(request, database, version)?;
    let pending: Vec<_> = schema.pending.iter().map(|file| file.name.clone()).collect();
    let files: Vec<_> = pending.iter().map(|name| format!("cat migrations/{name}")).collect();
    let does = Action::MigrationReview { commit: commit.clone(), pending: pending.clone() };
    let review = step("3.3.review", "Review pending migrations", files.join("\n"), does);
    let does = Action::Migrate { commit: commit.clone(), pending, must_run };
    let up = step("3.5.up", "Apply migrations", "npm run migrate:up".to_owned(), does);
    let up = Step { undone_by: undone_by(&schema.pending), ..up };
    let after = status("3.6.status", "Verify migrations applied");
    Ok(vec![before, review, backup(request, database), up, after])
}

fn step(id: &str, title: &str, command: String, does: Action) -> Step {
    Step::new(Section::Migrations, id, title, command, does)
}

fn refuse_changed(version: &str, schema: &Schema) -> Result<(), Failure> {
    let Some(changed) = schema.changed.first() else { return Ok(()) };
    Err(Failure::refused(format!("{changed} was applied with another text than {version} has"))
        .because("what is in the database is not what the files say")
        .cured_by(format!("platform migrate repair --accept {changed} --reason \"…\"")))
}

fn refuse_without_owner(request: &Request<'_>, database: &Database, version: &str) -> Result<(), Failure> {
    if database.owner_url.is_some() {
        return Ok(());
    }
    let name = request.name;
    Err(Failure::refused(format!("{version} has migrations that are not applied in {name}"))
        .because("runbook.toml does not say where the URL of the database's owner is")
        .cured_by(format!("in runbook.toml, in [environments.{name}]: database.owner_url = {{ env = \"…\" }}")))
}

/// Step 3.4, whose id is fixed here, once.
fn backup(request: &Request<'_>, database: &Database) -> Step {
    let stamp = backup::rds::stamp(request.made_at);
    let (id, title) = ("3.4.backup", "Take database backup");
    if let (Some(instance), Some(account)) = (&database.instance, &request.environment.aws) {
        let snapshot = format!("{instance}-snapshot-{stamp}");
        let command = Aws(account).create_snapshot(instance, &snapshot).literal();
        return step(id, title, command, Action::Snapshot { instance: instance.clone(), id: snapshot });
    }
    let folder = PathBuf::from(format!(".runbook/backups/{}-{stamp}", request.name));
    let command = format!("platform backup create    # into {}", folder.display());
    step(id, title, command, Action::Dump { folder })
}

/// A contracting file ships in a later release than the code that stopped needing what it takes away: what runs, is
/// deployed, or would be, can stand it. `platform migrate up` asks the same, but by then there is a backup.
fn refuse_leaving_behind(
    request: &Request<'_>,
    version: &str,
    schema: &Schema,
    must_run: &[String],
) -> Result<(), Failure> {
    let is_older = |image: &&String, oldest: &Version| {
        let version = image.rsplit(' ').next().unwrap_or_default();
        version.parse::<Version>().map_or(true, |version| version < *oldest)
    };
    for Migration { name, oldest_app, .. } in &schema.pending {
        let Some(oldest) = oldest_app else { continue };
        let Some(left) = schema.running.iter().chain(must_run).find(|image| is_older(image, oldest)) else { continue };
        return Err(Failure::refused(format!("{name} needs images of {oldest} or newer, and {left} runs or would"))
            .because("it takes away what those still need: it belongs into a later release than the code that stopped needing it")
            .cured_by(first(request, version, name, oldest)));
    }
    Ok(())
}

/// What has to be done before a file can be applied that leaves older images behind: a release without it has to run.
fn first(request: &Request<'_>, version: &str, name: &str, oldest: &Version) -> String {
    if version.parse::<Version>().is_ok_and(|version| version > *oldest) {
        return format!("runbook deploy {} --version {oldest}", request.the_same_way());
    }
    let file = name.trim_end_matches(".sql");
    format!("git rm migrations/{file}.*    # then: runbook version --write, and the file with the release after it")
}

/// What runs while and after the migrations are applied.
fn must_run(request: &Request<'_>, version: &str, observed: &Observed) -> Vec<String> {
    let mut versions: Vec<_> = observed.deployed.values().map(|deployed| deployed.version().to_owned()).collect();
    versions.push(version.to_owned());
    versions.sort();
    versions.dedup();
    let names = request.service_names();
    versions.iter().flat_map(|version| names.iter().map(move |name| format!("{name} {version}"))).collect()
}

fn undone_by(pending: &[Migration]) -> Option<String> {
    let downs = pending.iter().rev().map(|file| file.has_down.then(|| format!("platform migrate down {}", file.name)));
    downs.collect::<Option<Vec<_>>>().map(|lines| lines.join("\n"))
}
