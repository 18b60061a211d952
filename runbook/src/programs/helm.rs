//! `helm`

use super::{Call, CallError};
use crate::plan::Release;
use jiff::Timestamp;
use runbook_file::Cluster;
use serde::Deserialize;
use std::time::Duration;

/// What the document gives a rollout.
const TIMEOUT: &str = "10m";
/// helm waits for each of its parts that long, one after the other.
const LIMIT: Duration = Duration::from_mins(40);

/// A revision, as its history lists it.
#[derive(Debug, Deserialize)]
pub(crate) struct Listed {
    pub(crate) revision: u32,
    /// `deployed`, `superseded`, `pending-upgrade`, …
    pub(crate) status: String,
    /// When helm last wrote it.
    pub(crate) updated: Timestamp,
    /// As in `Rollback to 3`.
    #[serde(default)]
    pub(crate) description: String,
}

impl Listed {
    /// helm began it, and did not say how it ended: it is at work, or was when it was killed.
    pub(crate) fn is_pending(&self) -> bool {
        is_pending(&self.status)
    }
}

/// The same, of a status alone.
pub(crate) fn is_pending(status: &str) -> bool {
    status.starts_with("pending-")
}

fn listed(history: &str) -> Result<Vec<Listed>, CallError> {
    let unreadable = |error| CallError::Failed { code: None, said: format!("its history cannot be read: {error}") };
    serde_json::from_str(history).map_err(unreadable)
}

/// helm at a cluster.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Helm<'a>(pub(crate) &'a Cluster);

impl Helm<'_> {
    /// Any of its commands.
    pub(crate) fn call<'a>(self, arguments: impl IntoIterator<Item = &'a str>) -> Call {
        Call::new("helm").args(arguments).at(self.0, "--kube-context")
    }

    fn in_namespace<'a>(self, arguments: impl IntoIterator<Item = &'a str>) -> Call {
        self.call(arguments).args(["--namespace", &self.0.namespace])
    }

    /// Every revision that it remembers, as JSON.
    pub(crate) fn history(self, release: &str) -> Call {
        self.in_namespace(["history", release, "--max", "256", "--output", "json"])
    }

    /// The same, read: oldest first; none of a release that there is not.
    pub(crate) async fn revisions(self, release: &str) -> Result<Vec<Listed>, CallError> {
        match self.history(release).run().await {
            Ok(text) => listed(&text),
            Err(CallError::Failed { said, .. }) if said.contains("release: not found") => Ok(vec![]),
            Err(error) => Err(error),
        }
    }

    /// What a revision was made with, as JSON: the values of the chart and those that were given.
    pub(crate) fn values(self, release: &str, revision: u32) -> Call {
        self.in_namespace(["get", "values", release, "--all", "--output", "json", "--revision", &revision.to_string()])
    }

    /// What a revision made, as YAML.
    pub(crate) fn manifest(self, release: &str, revision: u32) -> Call {
        self.in_namespace(["get", "manifest", release, "--revision", &revision.to_string()])
    }

    /// Step 4.2.
    pub(crate) fn template(self, release: &Release, set: &[String]) -> Call {
        let call = Call::new("helm").args(["template", &release.name, &release.chart.path.display().to_string()]);
        given(call, release).args(["--namespace", &self.0.namespace]).args(set.to_vec())
    }

    /// Step 4.3.
    pub(crate) fn upgrade(self, release: &Release, set: &[String], force_conflicts: bool) -> Call {
        let call = self.call(["upgrade", "--install", &release.name, &release.chart.path.display().to_string()]);
        let call = given(call, release).args(["--namespace", &self.0.namespace, "--create-namespace", "--wait"]);
        forced(call.args(["--timeout", TIMEOUT]).args(set.to_vec()), force_conflicts).limit(LIMIT)
    }

    /// Rollback, option 1. Always by number: after a restart, "the one before" would be the same image.
    pub(crate) fn rollback(self, release: &str, to: u32, force_conflicts: bool) -> Call {
        let words = ["rollback", release, &to.to_string(), "-n", &self.0.namespace, "--wait", "--timeout=10m"];
        forced(self.call(words), force_conflicts).limit(LIMIT)
    }
}

/// Step 4.2; no cluster is asked.
pub(crate) fn lint(chart: &str) -> Call {
    Call::new("helm").args(["lint", chart])
}

/// helm 4 takes fields from their owner only when told, and only on the server.
fn forced(call: Call, force_conflicts: bool) -> Call {
    if force_conflicts { call.args(["--server-side=true", "--force-conflicts"]) } else { call }
}

fn given(call: Call, release: &Release) -> Call {
    release.values.iter().fold(call, |call, file| call.args(["-f".to_owned(), file.path.display().to_string()]))
}

/// How a version is given to the chart.
pub(crate) fn set(version: &str, repository: Option<&str>) -> Vec<String> {
    let repository = repository.map(|repository| format!("image.repository={repository}"));
    let all = std::iter::once(format!("image.tag={version}")).chain(repository);
    all.flat_map(|value| ["--set".to_owned(), value]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_revision_says_whether_helm_is_at_work() {
        let history = |status: &str| {
            format!(
                r#"[{{"revision":1,"status":"pending-upgrade","updated":"2025-01-17T14:00:00.5Z"}},
                    {{"revision":2,"status":"{status}","updated":"2025-01-17T14:00:00.5Z"}}]"#
            )
        };
        for (status, expected) in
            [("pending-upgrade", true), ("pending-rollback", true), ("deployed", false), ("failed", false)]
        {
            assert_eq!(listed(&history(status)).unwrap().last().unwrap().is_pending(), expected, "{status}");
        }
        assert!(listed("[]").unwrap().is_empty());
        let error = listed("Error").unwrap_err().to_string();
        assert!(error.starts_with("its history cannot be read: "), "{error}");
    }
}
