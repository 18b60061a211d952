//! Many requests' events in one transaction: each request is answered after the commit that has its events.
//!
//! The first request that finds nobody waiting starts a task, which waits a moment for others and then writes all of
//! them. While groups are being written, the next one grows: the more load, the fewer commits an event. No request's
//! end, and no client that goes away, stops a group.

mod group;

use super::{known_names::KnownNames, take_events::Taken};
use db::{Db, DbError};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot},
    time::timeout,
};

/// How long a group waits for more.
const LINGER: Duration = Duration::from_millis(5);
/// A group of so many events waits no longer, and takes no more.
const GROUP: usize = 2_000;
/// What may wait and be written at once; more is refused.
const ROOM_BYTES: usize = 32 << 20;
/// Groups that are written at once; each takes a connection.
const TURNS: usize = 2;

/// Why events were not written.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// Too much waits already.
    #[error("too many events wait to be written")]
    Full,
    /// The database did not take them.
    #[error("the events were not written")]
    Database(#[source] Arc<DbError>),
    /// The process ends.
    #[error("the writer is gone")]
    Gone,
}

/// The events of one request.
struct Submission {
    events: Vec<Taken>,
    done: oneshot::Sender<Result<(), WriteError>>,
    /// Given back when they are written.
    _room: OwnedSemaphorePermit,
}

/// Writes events in groups.
pub(crate) struct Writer {
    db: Db,
    names: KnownNames,
    waiting: Mutex<VecDeque<Submission>>,
    room: Arc<Semaphore>,
    turns: Semaphore,
    /// There is a whole group.
    full: Notify,
}

impl Writer {
    pub(crate) fn new(db: Db) -> Self {
        Self {
            db,
            names: KnownNames::default(),
            waiting: Mutex::default(),
            room: Arc::new(Semaphore::new(ROOM_BYTES)),
            turns: Semaphore::new(TURNS),
            full: Notify::new(),
        }
    }

    /// Returns when they are durable, each message once.
    pub(crate) async fn write(self: &Arc<Self>, events: Vec<Taken>) -> Result<(), WriteError> {
        let weight: usize = events.iter().map(|taken| taken.event.weight()).sum();
        let weight = u32::try_from(weight).map_err(|_| WriteError::Full)?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(weight).map_err(|_| WriteError::Full)?;
        let (done, answer) = oneshot::channel();
        let is_first = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push_back(Submission { events, done, _room: room });
            if waiting.iter().map(|one| one.events.len()).sum::<usize>() >= GROUP {
                self.full.notify_one();
            }
            waiting.len() == 1
        };
        if is_first {
            self.start();
        }
        answer.await.unwrap_or(Err(WriteError::Gone))
    }

    /// Of its own, so that no request that goes away takes a group with it.
    fn start(self: &Arc<Self>) {
        let writer = Arc::clone(self);
        tokio::spawn(async move { writer.gather().await });
    }

    async fn gather(self: Arc<Self>) {
        // Either way the group is written now.
        let _ = timeout(LINGER, self.full.notified()).await;
        let Ok(_turn) = self.turns.acquire().await else { return };
        let (group, is_more) = self.next_group();
        if is_more {
            self.start();
        }
        self.write_group(group).await;
    }

    /// The longest waiting ones, and whether others stay.
    fn next_group(&self) -> (Vec<Submission>, bool) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut group, mut events) = (Vec::new(), 0);
        while let Some(next) = waiting.front() {
            events += next.events.len();
            if events > GROUP && !group.is_empty() {
                break;
            }
            group.extend(waiting.pop_front());
        }
        (group, !waiting.is_empty())
    }

    async fn write_group(&self, group: Vec<Submission>) {
        let result = self.commit(group.iter().flat_map(|one| &one.events).collect()).await;
        match result {
            // One request's events that PostgreSQL refuses must not fail those of all others, again and again.
            Err(error) if group.len() > 1 && is_about_the_events(&error) => {
                for one in group {
                    let result = self.commit(one.events.iter().collect()).await;
                    answer(one, &result.map_err(into_error));
                }
            }
            result => {
                let result = result.map_err(into_error);
                for one in group {
                    answer(one, &result);
                }
            }
        }
    }
}

fn into_error(error: DbError) -> WriteError {
    WriteError::Database(Arc::new(error))
}

fn answer(one: Submission, result: &Result<(), WriteError>) {
    // Whoever no longer waits will send the same messages again.
    let _ = one.done.send(result.clone());
}

fn is_about_the_events(error: &DbError) -> bool {
    matches!(error, DbError::Query(_) | DbError::Constraint { .. } | DbError::NoRow(_))
}
