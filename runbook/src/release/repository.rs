//! The project's git repository: what of it is released, and whether the next release can be made here.

use super::version::released;
use crate::{
    failure::Failure,
    programs::{Call, CallError, git::Git},
};
use semver::Version;
use std::{collections::BTreeSet, path::Path, time::Duration};

/// Releases are made on this branch, as the document says.
pub(crate) const BRANCH: &str = "main";
/// For what goes over the network.
const REMOTE_LIMIT: Duration = Duration::from_mins(2);

/// A repository with a checkout.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    git: Git,
}

impl Repository {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { git: Git::new(folder) }
    }

    /// Any of git's commands.
    pub(crate) fn call<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Call {
        self.git.call(arguments)
    }

    async fn said(&self, arguments: &[&str]) -> Result<String, Failure> {
        let call = self.call(arguments.iter().copied());
        let said = call.run().await.map_err(|error| failed(&call, &error))?;
        Ok(said.trim_end().to_owned())
    }

    /// The versions that are tagged here.
    pub(crate) async fn tags(&self) -> Result<BTreeSet<Version>, Failure> {
        Ok(self.said(&["tag", "--list", "v*"]).await?.lines().filter_map(released).collect())
    }

    /// The versions that are tagged at origin, without fetching anything. An error is a line.
    pub(crate) async fn tags_at_origin(&self) -> Result<BTreeSet<Version>, String> {
        let call = self.call(["ls-remote", "--tags", "--refs", "origin", "v*"]);
        let said = call.run().await.map_err(|error| format!("origin does not tell its tags: {error}"))?;
        Ok(said.lines().filter_map(|line| released(line.rsplit_once("refs/tags/")?.1)).collect())
    }

    /// The commit of a name, in full; none: there is no such name.
    pub(crate) async fn commit(&self, name: &str) -> Result<Option<String>, Failure> {
        let call = self.call(["rev-parse", "--quiet", "--verify", &format!("{name}^{{commit}}")]);
        match call.run().await {
            Ok(said) => Ok(Some(said.trim().to_owned())),
            Err(CallError::Failed { code: Some(1), .. }) => Ok(None),
            Err(error) => Err(failed(&call, &error)),
        }
    }

    /// The commit that is checked out.
    pub(crate) async fn head(&self) -> Result<String, Failure> {
        self.said(&["rev-parse", "HEAD"]).await
    }

    /// The version whose release commit is checked out.
    pub(crate) async fn release_at_head(&self) -> Result<Option<Version>, Failure> {
        if self.commit("HEAD").await?.is_none() {
            return Err(Failure::refused("nothing is committed yet, and a version is a commit's")
                .cured_by("git add --all && git commit"));
        }
        let subject = self.said(&["log", "-1", "--format=%s"]).await?;
        Ok(subject.strip_prefix("Release ").and_then(|version| version.parse().ok()))
    }

    /// What commits say in their first lines, oldest first, of those that did not write into the changelog themselves.
    pub(crate) async fn subjects(&self, since: Option<&Version>) -> Result<Vec<String>, Failure> {
        let range = since.map_or("HEAD".to_owned(), |version| format!("v{version}..HEAD"));
        let log = ["log", "--no-merges", "--reverse", "--format=%H %s"];
        let all = self.said(&[&log[..], &[&range]].concat()).await?;
        let told = self.said(&["log", "--no-merges", "--format=%H", &range, "--", "CHANGELOG.md"]).await?;
        let told: BTreeSet<_> = told.lines().collect();
        let subjects = all.lines().filter_map(|line| line.split_once(' ')).filter(|(commit, _)| !told.contains(commit));
        Ok(subjects.map(|(_, subject)| subject.to_owned()).collect())
    }

    /// Whether nothing was committed since a tag.
    pub(crate) async fn is_at(&self, version: &Version) -> Result<bool, Failure> {
        Ok(self.commit(&format!("v{version}")).await? == Some(self.head().await?))
    }

    /// Refuses what a release must not be made from. Fetches, as nothing is known of origin before.
    pub(crate) async fn refuse_unready(&self) -> Result<(), Failure> {
        let branch = self.said(&["rev-parse", "--abbrev-ref", "HEAD"]).await?;
        if branch != BRANCH {
            return Err(Failure::refused(format!("{branch} is checked out, and releases are made on {BRANCH}"))
                .cured_by(format!("git checkout {BRANCH}")));
        }
        self.refuse_dirty().await?;
        if let Err(CallError::Failed { said, .. }) = self.call(["var", "GIT_COMMITTER_IDENT"]).run().await {
            return Err(Failure::refused("git does not know who commits")
                .because(said)
                .cured_by("git config user.name NAME && git config user.email ADDRESS"));
        }
        self.fetch().await?;
        let there = format!("origin/{BRANCH}");
        if self.commit(&there).await?.is_none() {
            return Err(Failure::refused(format!("origin has no {BRANCH}"))
                .cured_by(format!("git push --set-upstream origin {BRANCH}")));
        }
        let behind = self.said(&["rev-list", "--count", &format!("HEAD..{there}")]).await?;
        if behind != "0" {
            return Err(Failure::refused(format!("{BRANCH} is behind {there} by {behind}"))
                .because("what others pushed would not be in the release")
                .cured_by(format!("git pull --ff-only origin {BRANCH}")));
        }
        Ok(())
    }

    /// Refuses changes that no commit has: an image of them could not be built again.
    pub(crate) async fn refuse_dirty(&self) -> Result<(), Failure> {
        let changes = self.said(&["status", "--porcelain"]).await?;
        let Some(first) = changes.lines().next() else { return Ok(()) };
        let more = changes.lines().count() - 1;
        let more = if more == 0 { String::new() } else { format!(", and {more} more") };
        Err(Failure::refused(format!("files have changes that no commit has: {}{more}", first.trim_start()))
            .because("a release is exactly a commit")
            .cured_by("git add --all && git commit    # or: git stash --include-untracked"))
    }

    async fn fetch(&self) -> Result<(), Failure> {
        let call = self.call(["fetch", "--quiet", "--tags", "origin"]).limit(REMOTE_LIMIT);
        call.run().await.map(drop).map_err(|error| {
            let why = match &error {
                CallError::Failed { said, .. } => said.clone(),
                _ => error.to_string(),
            };
            let what = if why.contains("would clobber existing tag") {
                return Failure::refused("a tag here is on another commit than at origin")
                    .because(why)
                    .cured_by("git fetch --tags --force origin");
            } else {
                "origin cannot be fetched, so nobody knows whether this is its newest commit"
            };
            Failure::failed(what).because(why).cured_by(call.literal())
        })
    }
}

/// Of a program that was needed.
pub(crate) fn failed(call: &Call, error: &CallError) -> Failure {
    let failure = Failure::failed(format!("{} failed: {error}", call.literal()));
    match error {
        CallError::Failed { said, .. } if said.contains("not a git repository") => {
            failure.cured_by("git init    # or go to the project's folder")
        }
        CallError::Failed { said, .. } if said.lines().count() > 1 => failure.because(said.clone()),
        _ => failure,
    }
}
