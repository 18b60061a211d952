//! Where a run is written down: in the project's folder, or in a cluster.

use super::{Entry, Summary, copy, entries, file::all, folder, is_going_on};
use crate::{cluster, failure::Failure, lock::Lock, place::Place};
use kube::Client;
use std::path::PathBuf;

/// A run's journal, to look at.
pub(crate) enum Kept {
    /// In this folder.
    Here(PathBuf),
    /// In the cluster of this environment, by a colleague.
    There { client: Client, environment: String },
}

impl Kept {
    /// Here, unless a colleague went on with it or it was never here: then in the cluster.
    ///
    /// # Errors
    ///
    /// Refused: nobody knows the run; clusters that could not be asked are named.
    pub(crate) async fn find(place: &Place, run: &str) -> Result<Self, Failure> {
        // Only a project has runs.
        place.file()?;
        let folder = folder(&place.folder)?;
        if !all(&folder)?.iter().any(|known| known == run) {
            return Self::find_there(place, run, |_| true).await;
        }
        let here = entries(&folder, run)?;
        let summary = Summary::of(&here, is_going_on(&folder, run));
        if let Some(summary) = summary.filter(|summary| summary.state.can_be_resumed()) {
            let there = Self::find_there(place, run, |name| name == summary.plan.environment).await;
            // A cluster that does not answer has nothing newer to show.
            if let Ok(there) = there
                && there.entries(run).await.is_ok_and(|entries| entries.len() > here.len())
            {
                return Ok(there);
            }
        }
        Ok(Self::Here(folder))
    }

    async fn find_there(place: &Place, run: &str, is_asked: impl Fn(&str) -> bool) -> Result<Self, Failure> {
        let file = place.file()?;
        let mut silent = vec![];
        for (name, environment) in file.environments.iter().filter(|(name, _)| is_asked(name)) {
            let Some(wanted) = &environment.cluster else { continue };
            let asked = match cluster::connect(wanted).await {
                Ok(client) => copy::is_there(&client, run).await.map(|is_there| (client, is_there)),
                Err(failure) => Err(failure),
            };
            match asked {
                Ok((client, true)) => return Ok(Self::There { client, environment: name.clone() }),
                Ok((_, false)) => {}
                Err(failure) => silent.push(format!("{name}: {failure}")),
            }
        }
        let unknown = Failure::refused(format!("there is no run {run}")).cured_by("runbook runs");
        Err(if silent.is_empty() { unknown } else { unknown.because(silent.join("; ")) })
    }

    /// Its lines, as far as they are written.
    pub(crate) async fn entries(&self, run: &str) -> Result<Vec<Entry>, Failure> {
        match self {
            Self::Here(folder) => entries(folder, run),
            Self::There { client, .. } => copy::entries(client, run).await,
        }
    }

    /// None: nobody goes on with it. Else something that changes as long as somebody does: of a colleague's run, when its
    /// environment's lock was renewed; a file that is open here says it by itself.
    pub(crate) async fn pulse(&self, run: &str) -> Result<Option<String>, Failure> {
        match self {
            Self::Here(folder) => Ok(is_going_on(folder, run).then(String::new)),
            Self::There { client, environment } => {
                let lock = Lock::read(client, environment).await?;
                Ok(lock.held.filter(|held| held.run == run).map(|held| held.renewed.to_string()))
            }
        }
    }
}
