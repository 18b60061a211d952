//! The copy of a journal in the cluster: a ConfigMap a run, a key a line, so that a colleague can see a run, agree to
//! it, and go on with it.

#[cfg(test)]
mod tests;

use super::{
    Entry, Event, Journal,
    file::{is_going_on, path, read, whole},
};
use crate::{
    cluster::{self, AskError, NAMESPACE, ask},
    failure::Failure,
    time,
};
use futures_util::future::join_all;
use jiff::Timestamp;
use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write as _,
    path::Path,
    time::Duration,
};
use tokio::time::timeout;

const ENVIRONMENT: &str = "runbook/environment";
const STATE: &str = "runbook/state";
const ENDED: &str = "ended";
/// Who the cluster took those for who began the run: an annotation.
const IDENTITY: &str = "runbook/identity";
const APPROVALS: &str = "approvals";
/// Before the number of a line, in its key.
const LINE: &str = "line-";
/// How many copies of runs that are over an environment keeps; journals themselves are never deleted.
const KEPT: usize = 50;
/// For all of what is deleted: a run that begins has better things to do.
const PRUNING: Duration = Duration::from_secs(5);
/// A run is written by one, and approved by few.
const TRIES: u32 = 5;

/// A run's copy, as it is written while the run goes on.
pub(crate) struct Copy {
    client: Client,
    /// What is there: how many lines, and the version of the object.
    there: Option<(usize, Option<String>)>,
}

/// Somebody's yes to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Approval {
    by: String,
    at: Timestamp,
}

fn api(client: &Client) -> Api<ConfigMap> {
    Api::namespaced(client.clone(), NAMESPACE)
}

fn name(run: &str) -> String {
    format!("run-{run}")
}

impl Copy {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, there: None }
    }

    /// Sends the lines that are not there yet.
    ///
    /// # Errors
    ///
    /// Refused: somebody else went on with the run, and the copy has lines that this journal has not. Failed: the cluster
    /// did not take it; the next call sends everything that is missing.
    pub(crate) async fn send(&mut self, journal: &Journal) -> Result<(), Failure> {
        let what = format!("the copy of run {} in the cluster", journal.run());
        let lines = journal.entries().iter().map(|entry| serde_json::to_string(entry).map(|line| line + "\n"));
        let lines: Vec<_> = lines.collect::<Result<_, _>>().map_err(|error| Failure::failed(error.to_string()))?;
        for _ in 0..TRIES {
            let there = self.there.take();
            let sent = match there {
                None => self.begin(journal, &lines).await?,
                Some((count, version)) => self.add(journal, &lines, count, version).await,
            };
            match sent {
                Ok(version) => {
                    self.there = Some((lines.len(), version));
                    return Ok(());
                }
                // Approved meanwhile, or deleted: what is there is read again.
                Err(AskError::Conflict | AskError::NotThere(_)) => {}
                Err(error) => return Err(error.about(&what)),
            }
        }
        Err(AskError::Conflict.about(&what))
    }

    /// When nothing is known of what is there.
    async fn begin(&self, journal: &Journal, lines: &[String]) -> Result<Result<Option<String>, AskError>, Failure> {
        let found = match ask(api(&self.client).get_opt(&name(journal.run()))).await {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let Some(found) = found else { return self.create(journal, lines).await };
        let there = stored(&found);
        if !lines.starts_with(&there) {
            return Err(Failure::refused(format!("somebody else went on with run {}", journal.run()))
                .because("its copy in the cluster has lines that the journal here has not")
                .cured_by(format!("runbook show {}", journal.run())));
        }
        Ok(self.add(journal, lines, there.len(), found.metadata.resource_version).await)
    }

    async fn create(&self, journal: &Journal, lines: &[String]) -> Result<Result<Option<String>, AskError>, Failure> {
        cluster::namespace(&self.client).await?;
        let identity = cluster::whoami(&self.client).await.ok();
        let made = ConfigMap {
            metadata: ObjectMeta {
                name: Some(name(journal.run())),
                namespace: Some(NAMESPACE.to_owned()),
                labels: Some(labels(journal)?),
                annotations: identity.map(|identity| BTreeMap::from([(IDENTITY.to_owned(), identity)])),
                ..ObjectMeta::default()
            },
            data: Some(keyed(lines, 0)),
            ..ConfigMap::default()
        };
        let made = ask(api(&self.client).create(&PostParams::default(), &made)).await;
        Ok(made.map(|made| made.metadata.resource_version))
    }

    async fn add(
        &self,
        journal: &Journal,
        lines: &[String],
        count: usize,
        version: Option<String>,
    ) -> Result<Option<String>, AskError> {
        let new = keyed(&lines[count.min(lines.len())..], count);
        let state = state(journal);
        let patch = json!({ "metadata": { "resourceVersion": version, "labels": { STATE: state } }, "data": new });
        let patched =
            ask(api(&self.client).patch(&name(journal.run()), &PatchParams::default(), &Patch::Merge(&patch))).await?;
        Ok(patched.metadata.resource_version)
    }
}

fn state(journal: &Journal) -> &'static str {
    if journal.ended().is_some() { ENDED } else { "running" }
}

fn labels(journal: &Journal) -> Result<BTreeMap<String, String>, Failure> {
    let all = [
        ("app.kubernetes.io/managed-by", "runbook"),
        (ENVIRONMENT, &*journal.plan()?.environment),
        (STATE, state(journal)),
    ];
    Ok(all.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}

fn keyed(lines: &[String], before: usize) -> BTreeMap<String, String> {
    let numbered = lines.iter().zip(before + 1..);
    numbered.map(|(line, number)| (format!("{LINE}{number:05}"), line.clone())).collect()
}

/// The lines, in their order.
fn stored(map: &ConfigMap) -> Vec<String> {
    let data = map.data.iter().flatten();
    data.filter(|(key, _)| key.starts_with(LINE)).map(|(_, line)| line.clone()).collect()
}

async fn found(client: &Client, run: &str) -> Result<ConfigMap, Failure> {
    let found = ask(api(client).get_opt(&name(run))).await;
    let found = found.map_err(|error| error.about(&format!("the copy of run {run} in the cluster")))?;
    found.ok_or_else(|| Failure::refused(format!("the cluster has no run {run}")).cured_by("runbook runs ENV"))
}

/// Whether the cluster knows the run.
pub(crate) async fn is_there(client: &Client, run: &str) -> Result<bool, Failure> {
    let found = ask(api(client).get_opt(&name(run))).await;
    let found = found.map_err(|error| error.about(&format!("the copy of run {run} in the cluster")))?;
    Ok(found.is_some())
}

/// The lines of a run's copy, each of which follows the one before.
///
/// # Errors
///
/// Refused: there is no such run, or a line was changed.
pub(crate) async fn entries(client: &Client, run: &str) -> Result<Vec<Entry>, Failure> {
    read(run, &stored(&found(client, run).await?).concat())
}

/// Brings the journal here up to its copy, which makes it when there is none, and opens it.
///
/// # Errors
///
/// Refused: there is no such run, a line was changed, or journal and copy went on differently.
pub(crate) async fn fetch(client: &Client, folder: &Path, run: &str) -> Result<Journal, Failure> {
    let text = stored(&found(client, run).await?).concat();
    read(run, &text)?;
    let path = path(folder, run);
    let here = match fs::read_to_string(&path) {
        Ok(here) => here,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Failure::of_file(&path, &error)),
    };
    // A line that was not finished was not copied.
    let whole = whole(&here);
    if !whole.starts_with(&text) {
        if !text.starts_with(whole) {
            return Err(Failure::refused(format!("the journal of {run} here and its copy in the cluster differ"))
                .because("somebody went on with it in both places")
                .cured_by(format!("runbook show {run}")));
        }
        if is_going_on(folder, run) {
            return Journal::open(folder, run);
        }
        replace(folder, &path, &text).map_err(|error| Failure::of_file(&path, &error))?;
    }
    Journal::open(folder, run)
}

/// As a whole, and for good.
fn replace(folder: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

/// The runs of an environment that the cluster knows, oldest first, each with its lines; those that were changed are left
/// out.
pub(crate) async fn runs(client: &Client, environment: &str) -> Result<Vec<(String, Vec<Entry>)>, Failure> {
    let of_it = ListParams::default().labels(&format!("{ENVIRONMENT}={environment}"));
    let maps = ask(api(client).list(&of_it)).await;
    let maps = maps.map_err(|error| error.about(&format!("the runs of {environment} in the cluster")))?;
    let named = maps.items.iter().filter_map(|map| Some((map.metadata.name.as_deref()?.strip_prefix("run-")?, map)));
    let mut runs: Vec<_> =
        named.filter_map(|(run, map)| Some((run.to_owned(), read(run, &stored(map).concat()).ok()?))).collect();
    runs.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(runs)
}

/// Deletes the oldest copies of an environment's runs that are over, and of no run that can be gone on with.
///
/// # Errors
///
/// Not all of them could be deleted; the next run tries again.
pub(crate) async fn prune(client: &Client, environment: &str) -> Result<(), Failure> {
    let pruned = timeout(PRUNING, async {
        let over = ListParams::default().labels(&format!("{ENVIRONMENT}={environment},{STATE}={ENDED}"));
        let maps = api(client);
        let found = ask(maps.list_metadata(&over)).await?;
        let mut names: Vec<_> = found.items.into_iter().filter_map(|map| map.metadata.name).collect();
        // A run's name begins with its moment.
        names.sort();
        names.truncate(names.len().saturating_sub(KEPT));
        let parameters = DeleteParams::default();
        let deleted = join_all(names.iter().map(|name| ask(maps.delete(name, &parameters)))).await;
        // What somebody else deleted meanwhile is gone as well.
        let failed = deleted.into_iter().filter_map(Result::err).find(|error| !matches!(error, AskError::NotThere(_)));
        failed.map_or(Ok(()), Err)
    });
    let pruned = pruned.await.unwrap_or(Err(AskError::Silent(PRUNING)));
    pruned.map_err(|error| error.about(&format!("old runs of {environment} in the cluster are not deleted")))
}

/// Who agreed to a run, by the names that the cluster has for them. The run's holder writes them to the journal.
pub(crate) async fn approvals(client: &Client, run: &str) -> Result<Vec<String>, Failure> {
    Ok(approved(&found(client, run).await?).into_iter().map(|approval| approval.by).collect())
}

fn approved(map: &ConfigMap) -> Vec<Approval> {
    let lines = map.data.iter().flatten().filter(|(key, _)| *key == APPROVALS).flat_map(|(_, text)| text.lines());
    lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Agrees to a run, as the one that the cluster takes these credentials for; who that is. Twice is as good as once.
///
/// # Errors
///
/// Refused: it is the one who began it, nobody knows who began it, or it is over.
pub(crate) async fn approve(client: &Client, run: &str) -> Result<String, Failure> {
    let by = cluster::whoami(client).await?;
    for _ in 0..TRIES {
        let map = found(client, run).await?;
        may_approve(run, &map, &by)?;
        let mut all = approved(&map);
        if all.iter().any(|approval| approval.by == by) {
            return Ok(by);
        }
        all.push(Approval { by: by.clone(), at: time::now() });
        let lines = all.iter().filter_map(|approval| serde_json::to_string(approval).ok());
        let text: String = lines.map(|line| line + "\n").collect();
        let patch =
            json!({ "metadata": { "resourceVersion": map.metadata.resource_version }, "data": { APPROVALS: text } });
        match ask(api(client).patch(&name(run), &PatchParams::default(), &Patch::Merge(&patch))).await {
            Ok(_) => return Ok(by),
            Err(AskError::Conflict) => {}
            Err(error) => return Err(error.about(&format!("the approval of {run}"))),
        }
    }
    Err(AskError::Conflict.about(&format!("the approval of {run}")))
}

fn may_approve(run: &str, map: &ConfigMap, by: &str) -> Result<(), Failure> {
    let entries = read(run, &stored(map).concat())?;
    if entries.iter().any(|entry| matches!(entry.event, Event::Ended { .. })) {
        return Err(Failure::refused(format!("run {run} is over")).cured_by(format!("runbook show {run}")));
    }
    match map.metadata.annotations.as_ref().and_then(|notes| notes.get(IDENTITY)) {
        Some(began) if began == by => Err(Failure::refused(format!("{by} began run {run}"))
            .because("whoever agrees has to be another one than whoever began it")),
        Some(_) => Ok(()),
        None => Err(Failure::refused(format!("the cluster was not told who began run {run}"))
            .because("so nobody can tell whether you are another one")),
    }
}
