//! `up`: what is pending, one file after the other.

use crate::{
    Blocker, Event, File, Files, Options, UpError, backfill, blockers, catalog,
    failure::Failure,
    fence,
    lag::{self, Lag},
    left::Left,
    locks::Work,
    patience::Patience,
    place::Place,
    running::{self, Running},
    session::{self, LOCK_WAIT},
    status::{State, status},
    steps::{self, Journal, Step, Steps},
    table,
};
use futures_util::TryStreamExt;
use std::{
    pin::pin,
    time::{Duration, Instant},
};
use tokio_postgres::{
    Client, Error, SimpleQueryMessage,
    error::{DbError, ErrorPosition},
};

/// What a standby takes in at once: a table below this is written anew without looking.
const LARGE: i64 = 8 << 20;
/// How often it is looked whether standbys have caught up.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is looked who is in the way: more than once before a lock is given back.
const GLANCE: Duration = Duration::from_millis(100);

/// How far a standby may be behind before a table is written anew.
const MOST_BEHIND: Duration = Duration::from_secs(5);

/// A file that was applied just now.
#[derive(Debug, Clone)]
pub struct Applied {
    /// Its name.
    pub name: String,
    /// How long it took.
    pub took: Duration,
}

/// Applies what is pending and tells what happens; returns when all are applied. A second migrator waits for the first.
pub async fn up(
    client: &Client,
    files: &Files,
    options: &Options,
    tell: impl FnMut(&Event),
) -> Result<Vec<Applied>, UpError> {
    session::begin(client, options.fence.as_ref()).await?;
    let me = client.query_one("SELECT gen_random_uuid(), pg_backend_pid()", &[]).await?;
    let steps = Steps { client, run: me.try_get(0)?, fence: options.fence.as_ref() };
    let mut up = Up { client, steps, pid: me.try_get(1)?, options, tell, in_the_way: Vec::new() };
    let done = up.apply_pending(files).await;
    session::end(client, done).await
}

struct Up<'a, T> {
    client: &'a Client,
    steps: Steps<'a>,
    /// The server process that runs the files.
    pid: i32,
    options: &'a Options,
    tell: T,
    /// Who kept the last attempt waiting, as the second session saw it.
    in_the_way: Vec<Blocker>,
}

impl<T: FnMut(&Event)> Up<'_, T> {
    async fn apply_pending(&mut self, files: &Files) -> Result<Vec<Applied>, UpError> {
        table::ensure(self.client).await?;
        let pending = pending(self.client, files).await?;
        let mut done = Vec::with_capacity(pending.len());
        for file in pending {
            self.refuse_while_older_run(file).await?;
            let lacking = backfill::lacking(self.client, files, &file.needs_backfills).await?;
            if let Some(backfill) = lacking.into_iter().next() {
                return Err(UpError::BackfillFirst { file: file.name.clone(), backfill });
            }
            self.wait_for_standbys(file).await?;
            let start = Instant::now();
            if file.no_transaction {
                self.apply_steps(file, start).await?;
            } else {
                self.apply_whole(file).await?;
            }
            let applied = Applied { name: file.name.clone(), took: start.elapsed() };
            (self.tell)(&Event::Applied(&applied));
            done.push(applied);
        }
        Ok(done)
    }

    async fn refuse_while_older_run(&self, file: &File) -> Result<(), UpError> {
        let Some(oldest) = &file.oldest_app else { return Ok(()) };
        let mut running = running::seen(self.client).await?;
        running.extend(self.options.must_run.iter().cloned());
        let older = running.into_iter().find(|running| running.is_older_than(oldest));
        older.map_or(Ok(()), |Running { service, version }| {
            Err(UpError::TooOld { file: file.name.clone(), oldest: oldest.clone(), service, version })
        })
    }

    /// A table that is written anew is sent to every standby as a whole: none may be behind already.
    async fn wait_for_standbys(&mut self, file: &File) -> Result<(), UpError> {
        if !rewrites(self.client, file).await? {
            return Ok(());
        }
        let (start, mut told) = (Instant::now(), false);
        loop {
            let behind = match lag::beyond(self.client, MOST_BEHIND).await? {
                Lag::Within => return Ok(()),
                Lag::Unseen => return Err(UpError::UnseenLag(file.name.clone())),
                Lag::Behind(behind) => behind,
            };
            if start.elapsed() > LOCK_WAIT {
                return Err(UpError::Behind { file: file.name.clone(), behind });
            }
            if !told {
                (self.tell)(&Event::Behind { file: &file.name, behind: &behind });
                told = true;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// One file and its record, in one transaction; a lock that is not had is tried for again.
    async fn apply_whole(&mut self, file: &File) -> Result<(), UpError> {
        let mut patience = Patience::default();
        loop {
            let steps = self.steps;
            match self.watched(file, try_apply(steps, file, Instant::now())).await? {
                Ok(()) => return Ok(()),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Server { error, ran }) => {
                    patience.roll_back(self.client, error).await.map_err(|error| located(file, ran, error))?;
                    self.wait(file, &mut patience).await?;
                }
            }
        }
    }

    /// One statement after the other; what an earlier run has done is left out.
    async fn apply_steps(&mut self, file: &File, start: Instant) -> Result<(), UpError> {
        table::ensure_steps(self.client).await?;
        let steps = steps::of(file);
        for step in &steps {
            let mut patience = Patience::default();
            loop {
                let journal = Journal::read(self.client, file).await?;
                if journal.is_of_another(&steps) {
                    return Err(UpError::BegunOtherwise { file: file.name.clone(), done: journal.done() });
                }
                if !journal.lacks(step) {
                    break;
                }
                let of_file = self.steps;
                match self.watched(file, of_file.run(file, &journal, step)).await? {
                    Ok(()) => {}
                    Err(Failure::Final(error)) => return Err(error),
                    Err(Failure::Server { error, .. }) => {
                        if let Err(error) = patience.roll_back(self.client, error).await {
                            if error.as_db_error().is_some() {
                                steps::was_refused(self.client, file, step).await;
                            }
                            return Err(stopped(file, Some(step.place.clone()), journal.done(), error));
                        }
                        self.wait(file, &mut patience).await?;
                    }
                }
            }
        }
        self.client.batch_execute("BEGIN").await?;
        fence::hold(self.client, self.steps.fence).await?;
        table::record(self.client, self.steps.run, file, start.elapsed()).await?;
        self.client.execute("DELETE FROM _migration_steps WHERE name = $1", &[&file.name]).await?;
        Ok(self.client.batch_execute("COMMIT").await?)
    }

    /// Waits for a file or a statement of one, and looks meanwhile who keeps it waiting: tells it when it takes long, and ends
    /// those that were named for it. Only the statement's own failure is the inner one.
    async fn watched(
        &mut self,
        file: &File,
        running: impl Future<Output = Result<(), Failure>>,
    ) -> Result<Result<(), Failure>, UpError> {
        self.in_the_way.clear();
        let Some(watcher) = &self.options.watcher else { return Ok(running.await) };
        let (mut running, start, mut told) = (pin!(running), Instant::now(), Vec::new());
        loop {
            if let Ok(done) = tokio::time::timeout(GLANCE, &mut running).await {
                return Ok(done);
            }
            let found = blockers::blocking(watcher, self.pid).await?;
            if found.is_empty() {
                continue;
            }
            let pids: Vec<_> = found.iter().map(|blocker| blocker.pid).collect();
            if start.elapsed() >= LOOK {
                if told != pids {
                    (self.tell)(&Event::Waiting { file: &file.name, blockers: &found });
                    told = pids;
                }
                end_named(watcher, self.options, &found, &mut self.tell).await?;
            }
            self.in_the_way = found;
        }
    }

    /// Tells who is in the way, ends those that were named for it, and waits for the rest.
    async fn wait(&mut self, file: &File, patience: &mut Patience) -> Result<(), UpError> {
        let locks: Vec<_> = steps::of(file).into_iter().flat_map(|step| step.effect.locks).collect();
        let mut found = blockers::of(self.client, &catalog::resolve(self.client, &locks).await?).await?;
        // What a body locks, or a row, is in no list of tables.
        let seen = self.in_the_way.drain(..).filter(|seen| found.iter().all(|known| known.pid != seen.pid));
        let seen: Vec<_> = seen.collect();
        found.extend(seen);
        (self.tell)(&Event::Waiting { file: &file.name, blockers: &found });
        end_named(self.client, self.options, &found, &mut self.tell).await?;
        patience.pause().await;
        Ok(())
    }
}

/// Ends those in the way that were named for it.
async fn end_named(
    client: &Client,
    options: &Options,
    found: &[Blocker],
    tell: &mut impl FnMut(&Event),
) -> Result<(), Error> {
    for blocker in found.iter().filter(|blocker| options.cancel.contains(&blocker.pid)) {
        blockers::end(client, blocker.pid).await?;
        tell(&Event::Ended(blocker));
    }
    Ok(())
}

async fn try_apply(steps: Steps<'_>, file: &File, start: Instant) -> Result<(), Failure> {
    let client = steps.client;
    client.batch_execute(Patience::BEGIN).await?;
    fence::hold(client, steps.fence).await?;
    let (mut messages, mut ran) = (pin!(client.simple_query_raw(&file.sql).await?), 0);
    while let Some(message) = messages.try_next().await.map_err(|error| Failure::Server { error, ran: Some(ran) })? {
        ran += usize::from(matches!(message, SimpleQueryMessage::CommandComplete(_)));
    }
    // What a file sets, as a dump does with search_path, ends with it.
    client.batch_execute("RESET ALL; RESET ROLE").await?;
    table::record(client, steps.run, file, start.elapsed()).await?;
    Ok(client.batch_execute("COMMIT").await?)
}

/// The files to apply, when nothing speaks against it.
async fn pending<'a>(client: &Client, files: &'a Files) -> Result<Vec<&'a File>, UpError> {
    let entries = status(client, files).await?;
    if let Some(entry) = entries.iter().find(|entry| matches!(entry.state, State::Changed | State::Missing)) {
        return Err(UpError::Drift(entry.to_string()));
    }
    let is_pending = |name: &str| entries.iter().any(|entry| entry.name == name && entry.state == State::Pending);
    let pending: Vec<_> = files.in_order().iter().filter(|file| is_pending(&file.name)).collect();
    let last = entries.iter().rfind(|entry| entry.state == State::Applied);
    if let (Some(first), Some(last)) = (pending.first(), last)
        && first.name < last.name
    {
        return Err(UpError::OutOfOrder { pending: first.name.clone(), applied: last.name.clone() });
    }
    for file in &pending {
        if let Some(place) = Place::of_transaction_control(&file.sql) {
            return Err(UpError::TransactionControl { file: file.name.clone(), place });
        }
        if let Some(place) = steps::unnamed(file) {
            return Err(UpError::Unnamed { file: file.name.clone(), place });
        }
    }
    Ok(pending)
}

/// Whether a file writes a table with rows anew.
async fn rewrites(client: &Client, file: &File) -> Result<bool, Error> {
    let may = |step: &Step| step.effect.work == Work::Rewrite || !step.effect.typed.is_empty();
    for step in steps::of(file).into_iter().filter(may) {
        let locks = catalog::resolve(client, &step.effect.locks).await?;
        let large = locks.iter().any(|locked| locked.bytes > LARGE);
        if large && catalog::work(client, &step.effect, &locks).await? == Work::Rewrite {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Points at what the server means.
fn located(file: &File, ran: Option<usize>, error: Error) -> UpError {
    let position = error.as_db_error().and_then(DbError::position);
    let place = ran.and_then(|ran| match position {
        Some(ErrorPosition::Original(position)) => Some(Place::of_character(&file.sql, *position)),
        _ => Place::of_statement(&file.sql, ran),
    });
    stopped(file, place, 0, error)
}

/// What the server says of a file of which so many statements are done.
fn stopped(file: &File, place: Option<Place>, done: usize, error: Error) -> UpError {
    let Some(db) = error.as_db_error() else { return error.into() };
    let (file, message) = (file.name.clone(), db.message().to_owned());
    UpError::Statement { file, place, message, left: Left::by(&error, done) }
}
