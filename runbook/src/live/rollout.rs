//! A rollout as it goes on: the tree below the step, and the end of it as soon as it is sure to fail.

use super::{Live, lost};
use crate::{
    cluster::Clock,
    execute::Trouble,
    programs::{Call, Ran},
    redact::redact,
};
use rollout::{Doom, Observed, Standing, Watch};
use std::{collections::BTreeMap, fs, time::Duration};
use tokio::time::{Instant, timeout};

/// What the document gives a rollout.
const LIMIT: Duration = Duration::from_mins(10);
/// A list that fails is asked for again after half a second, and one that does not answer after ten.
const FIRST_LOOK: Duration = Duration::from_secs(15);
/// Some dooms are a matter of time alone, so it is judged also when nothing happens.
const TICK: Duration = Duration::from_secs(1);

/// The newest revision of each service.
type Revisions = BTreeMap<String, Option<u64>>;

impl Live<'_> {
    /// Runs what changes the Deployments while they are watched; a rollout that is sure to fail ends it.
    pub(super) async fn beside_the_rollout(&self, call: &Call) -> Result<String, Trouble> {
        let mut sight = self.sight().await;
        // In its first instant helm makes pods, which would be taken for old ones by whoever looks after it.
        let before = self.before(&mut sight).await;
        match self.under_the_lock(call, self.doomed(&mut sight, before.as_ref())).await? {
            Ran::Ended(ended) => Ok(last_lines(&ended?)),
            Ran::Happened((dooms, evidence)) => Err(trouble(&dooms, evidence)),
        }
    }

    /// The cluster's: what it dates is compared with it.
    pub(super) async fn clock(&self) -> Clock {
        Clock::of(&self.client).await.unwrap_or_else(|error| {
            self.report.warn(&format!("the cluster's clock cannot be read, and this machine's is taken: {error}"));
            Clock::of_this_machine()
        })
    }

    async fn sight(&self) -> Sight {
        let watch = Watch::start(&self.client, &self.request.cluster.namespace, &self.request.service_names());
        Sight { watch, clock: self.clock().await, observed: None }
    }

    /// The revisions as they are before anything is begun. None: they cannot be seen, and so nothing can be called new.
    async fn before(&self, sight: &mut Sight) -> Option<Revisions> {
        let start = Instant::now();
        while start.elapsed() < FIRST_LOOK {
            match sight.next().await {
                Ok(Some(standing)) => return Some(revisions(&standing)),
                Ok(None) => {}
                Err(_) => break,
            }
        }
        self.report.warn("the pods cannot be seen: should the rollout be sure to fail, its own time limit ends it");
        None
    }

    /// Ends when a rollout that began after these revisions is sure to fail; what failed before does not count.
    async fn doomed(&self, sight: &mut Sight, before: Option<&Revisions>) -> (Vec<Doom>, String) {
        loop {
            let Ok(standing) = sight.next().await else { std::future::pending().await };
            let Some(standing) = standing else { continue };
            self.report.tree(&standing);
            let newest = |known: &Revisions, doom: &Doom| known.get(&doom.service).copied().flatten();
            let now = revisions(&standing);
            let is_new = |doom: &&Doom| before.is_some_and(|before| newest(before, doom) != newest(&now, doom));
            let dooms: Vec<_> = standing.dooms().filter(is_new).cloned().collect();
            if !dooms.is_empty() {
                let evidence = self.evidence(sight, &standing).await;
                return (dooms, evidence);
            }
        }
    }

    /// Waits until every service is rolled out.
    pub(super) async fn rolled_out(&self, services: &[String]) -> Result<String, Trouble> {
        let (mut sight, start) = (self.sight().await, Instant::now());
        let mut last = None;
        while start.elapsed() < LIMIT {
            let standing = sight.next().await?;
            if self.lock.as_ref().is_some_and(|lock| !lock.is_held()) {
                return Err(lost(&self.lost_lock().await).into());
            }
            let Some(standing) = standing else { continue };
            let now = last.insert(standing);
            self.report.tree(now);
            let dooms: Vec<_> = now.dooms().cloned().collect();
            if !dooms.is_empty() {
                let evidence = self.evidence(&sight, now).await;
                return Err(trouble(&dooms, evidence));
            }
            if now.is_complete() {
                let lines = services.iter().map(|name| format!("deployment \"{name}\" successfully rolled out"));
                return Ok(lines.collect::<Vec<_>>().join("\n"));
            }
        }
        let lines = last.iter().flat_map(|standing| &standing.services).map(waits);
        let evidence = lines.collect::<Vec<_>>().join("\n");
        Err(Trouble { why: format!("not rolled out within {} min", LIMIT.as_secs() / 60), evidence })
    }
}

/// A rollout as it is seen.
struct Sight {
    watch: Watch,
    clock: Clock,
    /// None: something cannot be seen. What was seen of it grows old, and would be judged by what it was.
    observed: Option<Observed>,
}

impl Sight {
    /// How it stands, also when nothing has happened; none while something cannot be seen.
    async fn next(&mut self) -> Result<Option<Standing>, Trouble> {
        match timeout(TICK, self.watch.next()).await {
            Ok(Some(view)) => self.observed = Some(view.observed).filter(|_| view.blind.is_empty()),
            Ok(None) => return Err(Trouble::new("the cluster cannot be watched any more")),
            Err(_) => {}
        }
        Ok(self.observed.as_ref().map(|observed| rollout::standing(observed, self.clock.now())))
    }
}

/// Of a log, in the run's own output; the file has more.
const LOG_LINES: usize = 10;

impl Live<'_> {
    /// Saved before a way back deletes it: all of it in a file, what people look at first in lines.
    async fn evidence(&self, sight: &Sight, standing: &Standing) -> String {
        let observed = sight.observed.clone().unwrap_or_default();
        let found = rollout::evidence(&self.client, &observed, standing).await;
        let name = format!(".runbook/evidence/{}-{}.json", self.request.name, backup::rds::stamp(found.at));
        let path = self.folder.join(&name);
        let text = redact(&serde_json::to_string_pretty(&found).unwrap_or_default(), &[]);
        let saved = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text));
        let file = match saved {
            Ok(()) => format!("saved in {name}"),
            Err(error) => format!("{name} cannot be written: {error}"),
        };
        let lines = found.services.iter().flat_map(lines);
        lines.chain([file]).collect::<Vec<_>>().join("\n")
    }
}

/// Events, and the ends of logs.
fn lines(service: &rollout::ServiceEvidence) -> Vec<String> {
    let event = |event: &rollout::EventLine| format!("  {} ×{}: {}", event.reason, event.count, event.message);
    let mut lines: Vec<_> = service.events.iter().map(event).collect();
    for pod in &service.pods {
        lines.push(pod.name.clone());
        lines.extend(pod.events.iter().map(event));
        for log in &pod.logs {
            let cut = log.lines.len().saturating_sub(LOG_LINES);
            lines.extend(log.lines[cut..].iter().map(|line| format!("  | {line}")));
        }
    }
    lines.iter().map(|line| redact(line, &[])).collect()
}

fn revisions(standing: &Standing) -> Revisions {
    let newest = |service: &rollout::Service| {
        let newest = service.revisions.iter().find(|revision| revision.is_newest);
        (service.name.clone(), newest.and_then(|revision| revision.number))
    };
    standing.services.iter().map(newest).collect()
}

fn waits(service: &rollout::Service) -> String {
    match &service.state {
        rollout::State::Waiting { why } => format!("{}: {why}", service.name),
        state => format!("{}: {state:?}", service.name),
    }
}

fn trouble(dooms: &[Doom], evidence: String) -> Trouble {
    let why = dooms.iter().map(|doom| format!("{}: {} ({})", doom.service, doom.evidence, doom.cause));
    let cures = dooms.iter().map(|doom| format!("cure: {}", doom.cure));
    let mut lines: Vec<_> = cures.collect();
    lines.dedup();
    Trouble { why: why.collect::<Vec<_>>().join("; "), evidence: [lines.join("\n"), evidence].join("\n") }
}

/// Of what helm prints at length, the state of the release; of kubectl all that there is.
fn last_lines(said: &str) -> String {
    let kept = ["STATUS:", "REVISION:", "Rollback was a success"];
    let lines: Vec<_> = said.lines().filter(|line| kept.iter().any(|start| line.starts_with(start))).collect();
    if lines.is_empty() { said.trim_end().to_owned() } else { lines.join("\n") }
}
