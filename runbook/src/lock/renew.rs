//! What keeps a lock: a task that writes the record again and again, and says when it is lost.

use super::{Held, Record, Timing, look};
use crate::{cluster::AskError, time};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use std::time::Duration;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};

/// What the task is asked.
#[derive(Debug)]
pub(super) enum Word {
    Step(String),
    Note(String),
    /// To give it back; whether it did.
    Release(oneshot::Sender<Result<(), AskError>>),
}

/// How the lock stands.
#[derive(Debug, Clone)]
pub(super) struct State {
    /// When the last renewal that succeeded was sent.
    pub(super) renewed: Moment,
    /// Once it is lost it stays so, with why.
    pub(super) lost: Option<String>,
}

impl State {
    /// Loses it when the last renewal is that old; whether it did.
    pub(super) fn is_late(&mut self, own: Duration) -> bool {
        let is_late = self.lost.is_none() && self.renewed.elapsed() >= own;
        if is_late {
            self.lost = Some("it could not be renewed in time".to_owned());
        }
        is_late
    }
}

/// A moment by two clocks: one stands still while the machine sleeps, the other can be set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    steady: Instant,
    wall: Timestamp,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { steady: Instant::now(), wall: time::now() }
    }

    /// By the clock that says more.
    pub(super) fn elapsed(self) -> Duration {
        let wall = Duration::try_from(time::now().duration_since(self.wall)).unwrap_or_default();
        self.steady.elapsed().max(wall)
    }
}

pub(super) struct Renewal {
    pub(super) api: Api<Lease>,
    pub(super) timing: Timing,
    pub(super) record: Record,
    pub(super) words: mpsc::UnboundedReceiver<Word>,
    pub(super) state: watch::Sender<State>,
}

impl Renewal {
    /// Until it is given back, lost, or nobody has the lock any more.
    pub(super) async fn keep(mut self) {
        let mut next = Instant::now() + self.timing.renew;
        loop {
            tokio::select! {
                word = self.words.recv() => match word {
                    Some(Word::Step(step)) => self.held(|held| held.step = Some(step)),
                    Some(Word::Note(note)) => self.held(|held| held.note = Some(note)),
                    Some(Word::Release(done)) => {
                        let _ = done.send(self.release().await);
                        return;
                    }
                    None => return,
                },
                () = sleep_until(next) => {}
            }
            let renewed = self.renew().await;
            let own = self.timing.own();
            self.state.send_if_modified(|state| state.is_late(own));
            if self.state.borrow().lost.is_some() {
                return;
            }
            next = Instant::now() + if renewed { self.timing.renew } else { self.timing.retry };
        }
    }

    fn held(&mut self, change: impl FnOnce(&mut Held)) {
        if let Some(held) = &mut self.record.held {
            change(held);
        }
    }

    /// Whether it did; if it can never again, the lock is lost.
    async fn renew(&mut self) -> bool {
        let sent = Moment::now();
        self.held(|held| held.renewed = sent.wall);
        let why = match self.write().await {
            Ok(()) => {
                // What came too late was counted as lost already.
                let own = self.timing.own();
                self.state.send_modify(|state| {
                    if !state.is_late(own) {
                        state.renewed = sent;
                    }
                });
                return true;
            }
            Err(AskError::Conflict) => self.whose().await,
            Err(AskError::NotThere(_)) => Some("somebody deleted its Lease".to_owned()),
            Err(_) => None,
        };
        if why.is_some() {
            self.state.send_modify(|state| state.lost = why);
        }
        false
    }

    async fn write(&mut self) -> Result<(), AskError> {
        let written = look::write(&self.api, &self.record, self.timing).await?;
        self.record.version = written.version;
        Ok(())
    }

    /// After a conflict: none: it is still ours. Somebody annotated it, or an answer to us was lost on its way.
    async fn whose(&mut self) -> Option<String> {
        let now = look::read(&self.api, &self.record.environment, self.timing).await.ok()?;
        let ours = self.record.held.as_ref().map(|held| &held.identity);
        if now.held.as_ref().map(|held| &held.identity) == ours {
            self.record.version = now.version;
            return None;
        }
        Some(match now.held {
            Some(Held { by, reason: Some(reason), .. }) => format!("{by} stole it: {reason}"),
            Some(Held { by, .. }) => format!("{by} has it now"),
            None => "somebody gave it back".to_owned(),
        })
    }

    async fn release(&mut self) -> Result<(), AskError> {
        let held = self.record.held.clone();
        self.record.held = None;
        match self.write().await {
            Err(AskError::Conflict) => {
                self.record.held = held;
                if self.whose().await.is_some() {
                    return Ok(());
                }
                self.record.held = None;
                self.write().await
            }
            // Deleted is as free as it gets.
            Err(AskError::NotThere(_)) => Ok(()),
            other => other,
        }
    }
}
