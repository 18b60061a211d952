//! The sources of a version: which commit it was built from, and the migrations that are in it.

use crate::{failure::Failure, programs::git::Git};
use futures_util::future::try_join_all;
use migrate::Files;
use semver::Version;
use std::path::Path;

const MIGRATIONS: &str = "migrations/";

/// The commit of a version: its tag, its release commit, or HEAD when the workspace has this version there.
pub(crate) async fn commit(folder: &Path, version: &Version) -> Result<Option<String>, Failure> {
    let git = Git::new(folder);
    let tag = format!("refs/tags/v{version}^{{commit}}");
    if let Ok(commit) = git.call(["rev-parse", "--verify", "--quiet", &tag]).run().await {
        return Ok(Some(commit.trim().to_owned()));
    }
    let subject = format!("^Release {}$", version.to_string().replace('.', "\\."));
    let found = git.call(["log", "--all", "--max-count=1", "--format=%H", "--grep", &subject]).run().await;
    let found = found.map_err(|error| no_repository(folder, &error))?;
    if !found.trim().is_empty() {
        return Ok(Some(found.trim().to_owned()));
    }
    let manifest = git.call(["show", "HEAD:Cargo.toml"]).run().await.unwrap_or_default();
    if workspace_version(&manifest).is_some_and(|known| known == *version) { head(folder).await } else { Ok(None) }
}

/// The commit that is checked out.
pub(crate) async fn head(folder: &Path) -> Result<Option<String>, Failure> {
    let head = Git::new(folder).call(["rev-parse", "HEAD"]).run().await;
    head.map(|head| Some(head.trim().to_owned())).map_err(|error| no_repository(folder, &error))
}

fn no_repository(folder: &Path, error: &crate::programs::CallError) -> Failure {
    Failure::failed(format!("git cannot be asked in {}: {error}", folder.display()))
        .because("images and migrations of a version are found by its commit")
        .cured_by("git status")
}

fn workspace_version(manifest: &str) -> Option<Version> {
    let manifest: toml::Value = toml::from_str(manifest).ok()?;
    let version = |table: &str| manifest.get(table)?.get("package")?.get("version")?.as_str()?.parse().ok();
    version("workspace").or_else(|| manifest.get("package")?.get("version")?.as_str()?.parse().ok())
}

/// The migrations as they are in a commit, whatever is checked out.
pub(crate) async fn migrations(folder: &Path, commit: &str) -> Result<Files, Failure> {
    let git = Git::new(folder);
    let unreadable = |error| Failure::failed(format!("the migrations of {commit} cannot be read: {error}"));
    let names = git.call(["ls-tree", "-r", "--name-only", commit, MIGRATIONS]).run().await.map_err(unreadable)?;
    let names: Vec<_> = names.lines().filter(|name| has_ending(name)).collect();
    let texts = names.iter().map(async |name| git.call(["show", &format!("{commit}:{name}")]).run().await);
    let texts = try_join_all(texts).await.map_err(unreadable)?;
    let files: Vec<_> =
        names.iter().map(|name| &name[MIGRATIONS.len()..]).zip(texts.iter().map(String::as_str)).collect();
    Files::embedded(&files).map_err(|error| Failure::refused(format!("the migrations of {commit}: {error}")))
}

fn has_ending(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "sql")
}
