//! Who may change an environment: one run at a time, by a Lease in the runbook's namespace.
//!
//! A holder writes its record again every five seconds. Others take the lock over when they saw no change for its whole
//! time to live, by their own clocks. The holder itself stops earlier: after two thirds of that time without a renewal
//! it does not count as held, so that its child has ended when somebody else begins. No lock of this kind keeps a late
//! write out; in the database the token does, which every taking raises.

mod look;
mod process;
mod record;
mod renew;
mod steal;
#[cfg(test)]
mod tests;

pub(crate) use process::Process;
pub(crate) use record::{Held, Holder, Record};
pub(crate) use steal::steal;

use crate::{
    cluster::{self, AskError, NAMESPACE},
    failure::Failure,
    time,
};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use look::Seen;
use renew::{Moment, Renewal, State, Word};
use std::{env, time::Duration};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

/// Without a change for that long a lock is nobody's.
pub(crate) const TTL: Duration = Duration::from_secs(30);

/// The times of a lock, each a part of the first.
#[derive(Debug, Clone, Copy)]
struct Timing {
    /// Without a change for that long it is nobody's.
    ttl: Duration,
    renew: Duration,
    /// After a renewal that failed.
    retry: Duration,
    /// Between two looks at somebody else's.
    look: Duration,
    /// For one request.
    request: Duration,
}

impl Timing {
    fn of(ttl: Duration) -> Self {
        Self { ttl, renew: ttl / 6, retry: ttl / 30, look: ttl / 15, request: ttl / 6 }
    }

    /// How long a holder trusts its last renewal.
    fn own(self) -> Duration {
        self.ttl * 2 / 3
    }
}

/// An environment's lock, held. Dropped, it is renewed no more; only `release` gives it back at once.
#[derive(Debug)]
pub(crate) struct Lock {
    timing: Timing,
    token: i32,
    words: mpsc::UnboundedSender<Word>,
    state: watch::Sender<State>,
}

/// Who works here, on the side of the operating system: `user@host`.
pub(crate) fn who() -> String {
    let named = ["USER", "LOGNAME"].iter().find_map(|name| env::var(name).ok().filter(|name| !name.is_empty()));
    let user = named.unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()));
    format!("{user}@{}", rustix::system::uname().nodename().to_string_lossy())
}

fn api(client: &Client) -> Api<Lease> {
    Api::namespaced(client.clone(), NAMESPACE)
}

impl Lock {
    /// Takes it: when it is free, when its holder has ended on this machine, or when it was not renewed while this looked
    /// for its whole time to live. `tell` hears whom it waits for, at most 30 s.
    ///
    /// # Errors
    ///
    /// Refused: somebody else holds it, who lives. Failed: the cluster does not answer, or these credentials may not.
    pub(crate) async fn take(
        client: &Client,
        environment: &str,
        holder: &Holder,
        tell: impl FnMut(&Record),
    ) -> Result<Self, Failure> {
        cluster::namespace(client).await?;
        Self::take_within(api(client), environment, holder, Timing::of(TTL), tell).await
    }

    async fn take_within(
        api: Api<Lease>,
        environment: &str,
        holder: &Holder,
        timing: Timing,
        mut tell: impl FnMut(&Record),
    ) -> Result<Self, Failure> {
        let about = |error: &AskError| error.about(&format!("the lock of {environment}"));
        loop {
            let free = match look::look(&api, environment, timing, &mut tell).await.map_err(|error| about(&error))? {
                Seen::Free(record) => record,
                Seen::Alive(record) => return Err(refused(&record)),
            };
            let sent = Moment::now();
            let ours = Record { held: Some(Held::new(holder, time::now())), token: free.token + 1, ..free };
            match look::write(&api, &ours, timing).await {
                Ok(record) => return Ok(Self::kept(api, record, sent, timing)),
                // Another one was faster, or its holder came back: it is looked at again.
                Err(AskError::Conflict) => {}
                Err(AskError::Silent(_)) if is_ours(&api, &ours, timing).await => {
                    let record = look::read(&api, environment, timing).await.map_err(|error| about(&error))?;
                    return Ok(Self::kept(api, record, sent, timing));
                }
                Err(error) => return Err(about(&error)),
            }
        }
    }

    fn kept(api: Api<Lease>, record: Record, sent: Moment, timing: Timing) -> Self {
        let token = record.token;
        let (words, heard) = mpsc::unbounded_channel();
        let state = watch::Sender::new(State { renewed: sent, lost: None });
        tokio::spawn(Renewal { api, timing, record, words: heard, state: state.clone() }.keep());
        Self { timing, token, words, state }
    }

    /// The number of this taking: higher than that of every one before. What is written with a lower one is late.
    pub(crate) fn token(&self) -> i32 {
        self.token
    }

    /// Whether it is safe to change something now. Once it is not, it stays so.
    pub(crate) fn is_held(&self) -> bool {
        self.state.send_if_modified(|state| state.is_late(self.timing.own()));
        self.state.borrow().lost.is_none()
    }

    /// Ends when it is not held any more, with why: what was begun under it has to be ended now.
    pub(crate) async fn lost(&self) -> String {
        let mut state = self.state.subscribe();
        loop {
            if !self.is_held() {
                return self.state.borrow().lost.clone().unwrap_or_default();
            }
            // Now and then without being told: the task that renews may be behind.
            let _ = timeout(self.timing.retry, state.changed()).await;
        }
    }

    /// Says at which step this run is, to whoever looks at the lock.
    pub(crate) fn at_step(&self, step: &str) {
        let _ = self.words.send(Word::Step(step.to_owned()));
    }

    /// Says something else to whoever looks at the lock.
    pub(crate) fn note(&self, note: &str) {
        let _ = self.words.send(Word::Note(note.to_owned()));
    }

    /// Gives it back. A lock that was lost is somebody else's, and stays theirs.
    pub(crate) async fn release(self) -> Result<(), Failure> {
        let (sender, done) = oneshot::channel();
        if self.words.send(Word::Release(sender)).is_err() {
            return Ok(());
        }
        match done.await {
            Ok(Err(error)) => {
                let left = self.timing.ttl.as_secs();
                Err(error.about("the lock was not given back").because(format!("it is free by itself in {left} s")))
            }
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }
}

/// Whether a write that nobody answered was done.
async fn is_ours(api: &Api<Lease>, ours: &Record, timing: Timing) -> bool {
    let now = look::read(api, &ours.environment, timing).await.ok().and_then(|record| record.held);
    let identity = |held: &Option<Held>| held.as_ref().map(|held| held.identity.clone());
    identity(&now).is_some() && identity(&now) == identity(&ours.held)
}

fn refused(record: &Record) -> Failure {
    let run = record.held.as_ref().map_or("RUN", |held| &held.run);
    let environment = &record.environment;
    Failure::refused(record.to_string())
        .because(format!(
            "to watch it: runbook attach {run}; if it hangs: runbook lock steal {environment} --reason TEXT"
        ))
        .cured_by(format!("runbook attach {run}"))
}
