//! Whether a workflow deploys: pure, so that every case is a test.

use super::{Environment, deployed::Deployed, trigger::Trigger};
use anyhow::{Result, bail};
use jiff::{Timestamp, Zoned, civil::Weekday, tz::TimeZone};
use semver::Version;

/// What the checkout is.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) commit: String,
    /// Of the workspace; images are built with it.
    pub(crate) version: Version,
}

/// What comes of a run that was not refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The jobs after this one run.
    Deploy {
        /// Of the images.
        tag: String,
        version: Version,
        reason: String,
    },
    /// They are skipped, and the run ends well.
    Nothing { reason: String },
}

impl Decision {
    /// One line for people.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Deploy { reason, .. } | Self::Nothing { reason } => reason,
        }
    }

    fn nothing(reason: impl Into<String>) -> Self {
        Self::Nothing { reason: reason.into() }
    }
}

/// Compares what would be deployed with what is; an error is a run that somebody must look at.
pub(crate) fn decide(
    environment: Environment,
    trigger: &Trigger,
    source: &Source,
    deployed: &Deployed,
    now: Timestamp,
) -> Result<Decision> {
    if *trigger == Trigger::Removal {
        return Ok(Decision::nothing("nothing to deploy: a branch or tag was removed"));
    }
    match environment {
        Environment::Staging => staging(trigger, source, deployed),
        Environment::Production => production(trigger, source, deployed, now),
    }
}

/// Each commit of `develop` has a tag of its own, so that a tag in the cluster names its commit.
fn staging(trigger: &Trigger, source: &Source, deployed: &Deployed) -> Result<Decision> {
    let from = match trigger {
        Trigger::Branch { name, .. } | Trigger::Tag { name, .. } | Trigger::Dispatch { chosen: name, .. } => name,
        Trigger::Schedule | Trigger::Removal => "develop",
    };
    if from != "develop" {
        bail!("staging is deployed from develop, and this run is of {from}: run it on develop");
    }
    Ok(deploy_unless_there(staging_tag(source), source, deployed, "staging follows develop"))
}

fn staging_tag(source: &Source) -> String {
    format!("{}-{}", source.version, &source.commit[..source.commit.len().min(12)])
}

/// A version of `main`, or a tag of the version it stands at; in the window, or with the reason why not.
fn production(trigger: &Trigger, source: &Source, deployed: &Deployed, now: Timestamp) -> Result<Decision> {
    let hotfix = match trigger {
        Trigger::Branch { name, commit } if name == "main" => same_commit(commit, source).map(|()| None)?,
        Trigger::Tag { name, commit } => {
            is_tag_of(name, source)?;
            same_commit(commit, source).map(|()| None)?
        }
        Trigger::Dispatch { chosen, hotfix } => {
            if chosen != "main" {
                is_tag_of(chosen, source)?;
            }
            hotfix.as_deref()
        }
        other => bail!("production is deployed from main and from tags, not of {other:?}"),
    };
    let version = &source.version;
    if deployed.newest().is_some_and(|newest| newest > *version) {
        let reason = format!("{version} is older than what is deployed: docs/runbooks/rollback.md goes back");
        return Ok(Decision::nothing(reason));
    }
    let decision = deploy_unless_there(version.to_string(), source, deployed, hotfix.unwrap_or("the window is open"));
    let is_closed = hotfix.is_none() && !is_open(&now.to_zoned(zone()?));
    match decision {
        Decision::Deploy { .. } if is_closed => Ok(Decision::nothing(format!(
            "{version} waits: deployments are on Thursdays from 14:00 to 16:00, New York. Run this workflow then, or now \
             with a reason as `hotfix`"
        ))),
        decision => Ok(decision),
    }
}

fn deploy_unless_there(tag: String, source: &Source, deployed: &Deployed, why: &str) -> Decision {
    if deployed.is(&tag) {
        return Decision::nothing(match deployed.commit_of(&tag) {
            Some(other) if other != source.commit => {
                format!(
                    "nothing is deployed: {tag} runs already, from commit {other}; raise the version to deploy this one"
                )
            }
            _ => format!("nothing to do: {tag} is deployed already"),
        });
    }
    let reason = format!("{tag} is deployed from {}: {why}", source.commit);
    Decision::Deploy { tag, version: source.version.clone(), reason }
}

/// A runner that checked out anything else must not deploy it.
fn same_commit(commit: &str, source: &Source) -> Result<()> {
    if commit != source.commit {
        bail!("the event is of commit {commit}, and {} is checked out", source.commit);
    }
    Ok(())
}

fn is_tag_of(name: &str, source: &Source) -> Result<()> {
    let version = &source.version;
    if name != format!("v{version}") {
        bail!(
            "{name} stands at a commit whose version is {version}: production is deployed from main and from tags v{version}"
        );
    }
    Ok(())
}

fn zone() -> Result<TimeZone> {
    // The document writes EST, and means New York's clock also in summer.
    Ok(TimeZone::get("America/New_York")?)
}

/// Thursdays, 2 to 4 PM.
fn is_open(local: &Zoned) -> bool {
    local.weekday() == Weekday::Thursday && (14..16).contains(&local.hour())
}

#[cfg(test)]
mod tests;
