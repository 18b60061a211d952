//! A world that records: what is there, how often each effect was done, and where it is killed.

use super::super::{Standing, Trouble, World};
use crate::{
    failure::Failure,
    journal::Journal,
    plan::{Plan, Step},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    future,
};
use tokio::sync::watch;

/// Outlives every run in it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Recorded {
    /// How often each effect was done, by its whole action.
    pub(crate) done: BTreeMap<String, u32>,
    /// Steps that fail before they do anything.
    pub(crate) failing: BTreeSet<String>,
    /// Steps that are made of something else than was planned.
    pub(crate) changed: BTreeSet<String>,
    /// Steps of which the world does not say whether they are done.
    pub(crate) unanswered: BTreeSet<String>,
    /// The step in the middle of which the lock is lost.
    pub(crate) loses_lock_at: Option<String>,
    pub(crate) has_lost_lock: bool,
    /// The step after which the world does not say any more whether it is done.
    pub(crate) falls_silent_after: Option<String>,
    /// The step in the middle of which somebody asks that it stops, so many times.
    pub(crate) interrupted_at: Option<(String, u32)>,
    /// Who asks that.
    pub(crate) interrupts: watch::Sender<u32>,
    /// How many points of a run were passed.
    pub(crate) points: usize,
    /// The point at which it is killed.
    pub(crate) killed_at: Option<usize>,
}

impl Recorded {
    /// A place where a process can be killed: everything before it was done, nothing after it.
    async fn point(&mut self) {
        self.points += 1;
        if self.killed_at == Some(self.points) {
            future::pending::<()>().await;
        }
    }

    async fn interrupt(&self, step: &Step) {
        let Some((_, times)) = self.interrupted_at.as_ref().filter(|(id, _)| *id == step.id) else { return };
        self.interrupts.send_replace(*times);
        if *times > 1 {
            // What runs takes its time, and is ended in it.
            future::pending::<()>().await;
        }
    }
}

fn key(step: &Step) -> String {
    serde_json::to_string(&step.does).unwrap()
}

impl World for Recorded {
    async fn boundary(&mut self, _: &Journal, _: &Step) -> Result<(), Failure> {
        self.point().await;
        if self.has_lost_lock { Err(Failure::failed("the lock was lost")) } else { Ok(()) }
    }

    async fn check(&mut self, step: &Step) -> Result<Standing, Trouble> {
        self.point().await;
        if self.unanswered.contains(&step.id) {
            return Err(Trouble::new("no answer"));
        }
        let is_there = self.done.contains_key(&key(step));
        self.point().await;
        Ok(if is_there { Standing::Present("it is there".into()) } else { Standing::Absent })
    }

    async fn ready(&mut self, _: &Plan, step: &Step) -> Result<(), Trouble> {
        self.point().await;
        if self.changed.contains(&step.id) { Err(Trouble::new("not what was planned any more")) } else { Ok(()) }
    }

    async fn apply(&mut self, step: &Step) -> Result<String, Trouble> {
        self.point().await;
        self.interrupt(step).await;
        if self.loses_lock_at.as_ref() == Some(&step.id) {
            self.has_lost_lock = true;
            return Err(Trouble::new("the lock was lost"));
        }
        if self.failing.contains(&step.id) {
            return Err(Trouble::new("it was told to"));
        }
        if !step.does.is_question() {
            *self.done.entry(key(step)).or_default() += 1;
        }
        if self.falls_silent_after.as_ref() == Some(&step.id) {
            self.unanswered.insert(step.id.clone());
        }
        self.point().await;
        Ok(String::new())
    }
}
