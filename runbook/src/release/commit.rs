//! The release commit: everything that says the version, in one commit, or nothing of it.

use super::{
    changelog, files,
    repository::{Repository, failed},
    version,
};
use crate::{
    failure::Failure,
    programs::{Call, CallError, docker},
    time,
};
use jiff::tz::TimeZone;
use runbook_file::RunbookFile;
use semver::Version;
use std::{fs, path::Path, time::Duration};

/// Generators compile.
const GENERATOR_LIMIT: Duration = Duration::from_hours(1);
const CHANGELOG: &str = "CHANGELOG.md";

/// What a release is made from.
pub(crate) struct Release<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) file: &'a RunbookFile,
    pub(crate) version: &'a Version,
    /// The newest tag; none: this is the first release.
    pub(crate) since: Option<&'a Version>,
}

impl Release<'_> {
    /// Makes the commit; `tell` hears each command before it is run. What a failure leaves behind is put aside, so that
    /// the files are as they were, and nothing is lost.
    pub(crate) async fn write(&self, tell: impl Fn(&str)) -> Result<String, Failure> {
        let repository = Repository::new(self.folder);
        match self.commit(&repository, &tell).await {
            Ok(()) => repository.head().await,
            Err(failure) => Err(self.put_aside(&repository, failure).await),
        }
    }

    async fn commit(&self, repository: &Repository, tell: &impl Fn(&str)) -> Result<(), Failure> {
        for (path, text) in self.texts(repository).await? {
            let path = self.folder.join(path);
            fs::write(&path, text).map_err(|error| Failure::of_file(&path, &error))?;
        }
        let version = self.version;
        if self.folder.join("Cargo.lock").is_file() {
            // Without network: no dependency becomes another one by a release.
            let call = Call::new("cargo").args(["update", "--quiet", "--workspace", "--offline"]);
            let call = call.within(self.folder).limit(GENERATOR_LIMIT);
            run(&call, &call.literal(), tell).await?;
        }
        for line in &self.file.release.generators {
            let call = Call::new("sh").args(["-c", line]).within(self.folder).limit(GENERATOR_LIMIT);
            run(&call, line, tell).await?;
        }
        let message = format!("Release {version}");
        // Where no file says the version, the commit does.
        let commit = repository.call(["commit", "--quiet", "--allow-empty", "--message", &message]);
        for call in [repository.call(["add", "--all"]), commit] {
            run(&call, &call.literal(), tell).await?;
        }
        Ok(())
    }

    async fn texts(&self, repository: &Repository) -> Result<Vec<(std::path::PathBuf, String)>, Failure> {
        let mut texts: Vec<_> = files::changed(self.folder, self.file, self.version)?.into_iter().collect();
        let path = self.folder.join(CHANGELOG);
        if path.is_file() {
            let text = fs::read_to_string(&path).map_err(|error| Failure::of_file(&path, &error))?;
            let subjects = if self.since.is_none() && changelog::has_unreleased(&text) {
                // All that was ever done is no news.
                vec![]
            } else {
                repository.subjects(self.since).await?
            };
            let today = time::now().to_zoned(TimeZone::UTC).date();
            texts.push((CHANGELOG.into(), changelog::with_entry(&text, self.version, today, &subjects)));
        }
        Ok(texts)
    }

    async fn put_aside(&self, repository: &Repository, failure: Failure) -> Failure {
        if repository.refuse_dirty().await.is_ok() {
            return failure;
        }
        let message = format!("runbook version --write, {}, which failed", self.version);
        let stash = repository.call(["stash", "push", "--quiet", "--include-untracked", "--message", &message]);
        let aside = match stash.run().await {
            Ok(_) => {
                "the files are as they were; what was written is in git's stash: git stash show --patch".to_owned()
            }
            Err(error) => format!("and what was written could not be put aside: {error}"),
        };
        let why = failure.why.iter().cloned().chain([aside]).collect::<Vec<_>>().join("\n");
        failure.because(why)
    }
}

async fn run(call: &Call, shown: &str, tell: &impl Fn(&str)) -> Result<(), Failure> {
    tell(shown);
    call.run()
        .await
        .map(drop)
        .map_err(|error| Failure { what: format!("{shown} failed: {error}"), ..failed(call, &error) })
}

/// Refuses a version of which this machine's docker has an image of another commit. Without docker there is none.
pub(crate) async fn refuse_foreign_images(
    file: &RunbookFile,
    version: &Version,
    commit: Option<&str>,
) -> Result<(), Failure> {
    let as_written = file.services.iter().map(|(_, service)| format!("{}:{version}", service.image));
    for image in as_written.chain(version::images(file, &version.to_string())) {
        if let Some(revision) = local_revision(&image).await?
            && Some(revision.as_str()) != commit
        {
            return Err(of_another_commit(&image, &revision, &format!("docker image rm {image}")));
        }
    }
    Ok(())
}

/// What an image's label says of the commit it was built from; empty: nothing. None: docker does not have it.
pub(crate) async fn local_revision(image: &str) -> Result<Option<String>, Failure> {
    let call = docker::revision(image);
    match call.run().await {
        Ok(said) => Ok(Some(said.trim().to_owned())),
        Err(CallError::NotThere(_)) => Ok(None),
        Err(CallError::Failed { said, .. }) if says_absent(&said) => Ok(None),
        Err(error) => Err(failed(&call, &error)),
    }
}

/// Also of an engine that does not answer: what it has cannot be used either.
fn says_absent(said: &str) -> bool {
    let absences = ["No such image", "Cannot connect to the Docker daemon", "failed to connect to the docker API"];
    absences.iter().any(|absence| said.contains(absence))
}

/// A version is one commit.
pub(crate) fn of_another_commit(image: &str, revision: &str, cure: &str) -> Failure {
    let revision = if revision.is_empty() { "a commit that it does not name" } else { revision };
    Failure::refused(format!("{image} is there already, of {revision}"))
        .because("a version is built once, from its release commit")
        .cured_by(cure)
}
