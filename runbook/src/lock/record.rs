//! What a Lease says, and how it is written there.

use super::Process;
use crate::{cluster::NAMESPACE, time};
use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use std::{collections::BTreeMap, fmt, time::Duration};

/// Who takes a lock.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    /// `user@host`.
    pub(crate) by: String,
    pub(crate) run: String,
    pub(crate) process: Option<Process>,
}

impl Holder {
    /// This process, for a run.
    pub(crate) fn this(run: &str) -> Self {
        Self { by: super::who(), run: run.to_owned(), process: Process::this() }
    }
}

/// The lock of an environment, as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) environment: String,
    /// None: it is free.
    pub(crate) held: Option<Held>,
    /// How often it was taken: every taking has a number of its own, and a later one a higher.
    pub(crate) token: i32,
    /// The last time that it was stolen: by whom, when, from whom and why.
    pub(crate) stolen: Option<String>,
    /// Of the object: equal means unchanged. None: it is not there yet.
    pub(super) version: Option<String>,
}

/// Of a lock that somebody has.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// `user@host`, the process and the run: nobody else's.
    pub(super) identity: String,
    pub(crate) by: String,
    pub(crate) run: String,
    pub(super) process: Option<Process>,
    /// By the holder's clock.
    pub(crate) since: Timestamp,
    /// By the holder's clock, which is shown and never counted with.
    pub(crate) renewed: Timestamp,
    /// The step that it is at.
    pub(crate) step: Option<String>,
    pub(crate) note: Option<String>,
    /// Why it was taken from the holder before, if it was.
    pub(crate) reason: Option<String>,
}

impl Held {
    pub(super) fn new(holder: &Holder, now: Timestamp) -> Self {
        let pid = holder.process.as_ref().map_or(0, |process| process.pid);
        Self {
            // The moment keeps two takings by one process apart.
            identity: format!("{} {pid} {} {now}", holder.by, holder.run),
            by: holder.by.clone(),
            run: holder.run.clone(),
            process: holder.process.clone(),
            since: now,
            renewed: now,
            step: None,
            note: None,
            reason: None,
        }
    }
}

impl Record {
    /// Of an environment that nobody ever locked.
    pub(super) fn fresh(environment: &str) -> Self {
        Self { environment: environment.to_owned(), held: None, token: 0, stolen: None, version: None }
    }

    pub(super) fn read(environment: &str, lease: Lease) -> Self {
        let spec = lease.spec.unwrap_or_default();
        let notes = lease.metadata.annotations.unwrap_or_default();
        let note = |name: &str| notes.get(&key(name)).cloned();
        let identity = spec.holder_identity.filter(|identity| !identity.is_empty());
        let held = identity.map(|identity| Held {
            by: note("by").unwrap_or_else(|| identity.clone()),
            run: note("run").unwrap_or_default(),
            process: process(&notes),
            since: spec.acquire_time.map_or(Timestamp::UNIX_EPOCH, |time| time.0),
            renewed: spec.renew_time.map_or(Timestamp::UNIX_EPOCH, |time| time.0),
            step: note("step"),
            note: note("note"),
            reason: note("reason"),
            identity,
        });
        Self {
            environment: environment.to_owned(),
            held,
            token: spec.lease_transitions.unwrap_or_default(),
            stolen: note("stolen"),
            version: lease.metadata.resource_version,
        }
    }

    /// The object, which replaces only the version that was read.
    pub(super) fn lease(&self, ttl: Duration) -> Lease {
        let held = self.held.as_ref();
        let seconds = i32::try_from(ttl.as_secs()).unwrap_or(i32::MAX).max(1);
        let spec = LeaseSpec {
            holder_identity: Some(held.map(|held| held.identity.clone()).unwrap_or_default()),
            lease_duration_seconds: Some(seconds),
            acquire_time: held.map(|held| MicroTime(held.since)),
            renew_time: held.map(|held| MicroTime(held.renewed)),
            lease_transitions: Some(self.token),
            ..LeaseSpec::default()
        };
        let mut notes = held.map(annotations).unwrap_or_default();
        notes.extend(self.stolen.clone().map(|stolen| (key("stolen"), stolen)));
        let metadata = ObjectMeta {
            name: Some(self.environment.clone()),
            namespace: Some(NAMESPACE.to_owned()),
            resource_version: self.version.clone(),
            annotations: Some(notes),
            ..ObjectMeta::default()
        };
        Lease { metadata, spec: Some(spec) }
    }
}

fn key(name: &str) -> String {
    format!("runbook/{name}")
}

fn annotations(held: &Held) -> BTreeMap<String, String> {
    let process = held.process.as_ref();
    let all = [
        ("by", Some(held.by.clone())),
        ("run", Some(held.run.clone())),
        ("step", held.step.clone()),
        ("note", held.note.clone()),
        ("reason", held.reason.clone()),
        ("place", process.map(|process| process.place.clone())),
        ("pid", process.map(|process| process.pid.to_string())),
        ("started", process.map(|process| process.started.to_string())),
    ];
    all.into_iter().filter_map(|(name, value)| Some((key(name), value?))).collect()
}

fn process(notes: &BTreeMap<String, String>) -> Option<Process> {
    let note = |name: &str| notes.get(&key(name));
    let (pid, started) = (note("pid")?.parse().ok()?, note("started")?.parse().ok()?);
    Some(Process { place: note("place")?.clone(), pid, started })
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(held) = &self.held else { return write!(f, "nobody holds {}", self.environment) };
        let since = time::distance(held.since, time::now());
        write!(f, "{} holds {} since {since}, run {}", held.by, self.environment, held.run)?;
        match &held.step {
            Some(step) => write!(f, ", at {step}"),
            None => Ok(()),
        }
    }
}
