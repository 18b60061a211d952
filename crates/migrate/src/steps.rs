//! A file without a transaction: its statements one by one, each journaled, so that a run that was killed goes on at
//! the right one.

mod rest;

use crate::{
    Fence, File, Place, catalog,
    failure::Failure,
    fence,
    file::checksum,
    lint::runs_alone,
    locks::{self, Effect, Mode, Work},
    patience::Patience,
    words::words,
};
use rest::{Rest, Resumable};
use squawk_syntax::{
    SourceFile,
    ast::{AstNode, Stmt},
};
use tokio_postgres::{Client, Error};
use uuid::Uuid;

/// One statement of a file.
pub(crate) struct Step {
    number: i32,
    sql: String,
    /// Of its text and those of the statements before it.
    checksum: String,
    alone: bool,
    pub(crate) place: Place,
    pub(crate) effect: Effect,
    may_lock_more: bool,
    /// How a run that was killed goes on with it.
    resumable: Option<Resumable>,
    creates_index: bool,
}

impl Step {
    async fn remove_leftovers(&self, client: &Client) -> Result<(), Error> {
        match &self.resumable {
            Some(resumable) => resumable.remove_leftovers(client).await,
            None => Ok(()),
        }
    }
}

pub(crate) fn of(file: &File) -> Vec<Step> {
    let statements = SourceFile::parse(&file.sql).tree().stmts().filter(|it| !matches!(it, Stmt::EmptyStmt(_)));
    let mut so_far = String::new();
    let step = |(number, statement): (i32, Stmt)| {
        let (sql, effect) = (statement.syntax().to_string(), locks::effect(&statement));
        so_far += &sql;
        so_far.push(';');
        Step {
            number,
            checksum: checksum(&so_far),
            sql,
            alone: runs_alone(&statement) || matches!(statement, Stmt::Reindex(_) | Stmt::Cluster(_)),
            place: Place::after(&file.sql, statement.syntax().text_range().start().into()),
            may_lock_more: may_lock_more(&statement, &effect),
            effect,
            resumable: Resumable::of(&statement),
            creates_index: matches!(statement, Stmt::CreateIndex(_)),
        }
    };
    (1..).zip(statements).map(step).collect()
}

/// Whether it may lock more than is known of it. Of what goes through a whole schema its kind says it.
fn may_lock_more(statement: &Stmt, effect: &Effect) -> bool {
    let words = words(&statement.syntax().to_string());
    let has = |word: &str| words.iter().any(|known| known == word);
    match statement {
        Stmt::Vacuum(_) => has("full"),
        Stmt::Reindex(_) => !has("concurrently"),
        _ => effect.work == Work::Unknown,
    }
}

/// How far a file was brought: the numbers of its statements that are done, and of those that were begun.
pub(crate) struct Journal {
    done: i32,
    begun: bool,
    /// What each of them was, with those before it.
    checksums: Vec<String>,
}

impl Journal {
    pub(crate) async fn read(client: &Client, file: &File) -> Result<Self, Error> {
        let rows = "SELECT step, encode(checksum, 'hex'), done_at IS NOT NULL FROM _migration_steps WHERE name = $1 ORDER BY step";
        let mut journal = Self { done: 0, begun: false, checksums: vec![] };
        for row in client.query(rows, &[&file.name]).await? {
            journal.checksums.push(row.try_get(1)?);
            journal.begun = !row.try_get::<_, bool>(2)?;
            journal.done += i32::from(!journal.begun);
        }
        Ok(journal)
    }

    /// How many statements are done.
    pub(crate) fn done(&self) -> usize {
        self.done.unsigned_abs() as usize
    }

    /// Whether a statement that is done, or may be, is another one now. What comes after those may be changed.
    pub(crate) fn is_of_another(&self, steps: &[Step]) -> bool {
        let now = |at: usize| steps.get(at).map(|step| &step.checksum);
        self.checksums.iter().enumerate().any(|(at, checksum)| now(at) != Some(checksum))
    }

    /// Whether the statement is still to be run.
    pub(crate) fn lacks(&self, step: &Step) -> bool {
        step.number > self.done
    }

    /// Whether it was begun, and nobody knows how it ended.
    fn in_doubt(&self, step: &Step) -> bool {
        self.begun && step.number == self.done + 1
    }
}

/// Whoever runs statements: in which session, for which call of `up`, under which lock.
#[derive(Clone, Copy)]
pub(crate) struct Steps<'a> {
    pub(crate) client: &'a Client,
    pub(crate) run: Uuid,
    pub(crate) fence: Option<&'a Fence>,
}

impl Steps<'_> {
    /// Runs one statement and journals it, together where PostgreSQL allows it.
    pub(crate) async fn run(&self, file: &File, journal: &Journal, step: &Step) -> Result<(), Failure> {
        if step.alone {
            return self.run_alone(file, journal, step).await;
        }
        let client = self.client;
        client.batch_execute(Patience::BEGIN).await?;
        fence::hold(client, self.fence).await?;
        client.batch_execute(&step.sql).await?;
        begin(client, self.run, file, step).await?;
        end(client, file, step).await?;
        Ok(client.batch_execute("RESET ALL; RESET ROLE; COMMIT").await?)
    }

    async fn run_alone(&self, file: &File, journal: &Journal, step: &Step) -> Result<(), Failure> {
        let client = self.client;
        // What lets everybody pass while it waits may wait long: an index that gives up was built in vain.
        let locks = catalog::resolve(client, &step.effect.locks).await?;
        let lets_pass = !step.may_lock_more && locks.iter().all(|lock| lock.mode <= Mode::ShareUpdateExclusive);
        let lock_timeout = if lets_pass { "1h" } else { "500ms" };
        let set = format!(
            "SET lock_timeout = '{lock_timeout}'; SET statement_timeout = 0; SET client_connection_check_interval = '2s'"
        );
        client.batch_execute(&set).await?;
        // Begun before, by a run that was killed or by an attempt that met a busy table: it may be half done, or wholly.
        let rest = match &step.resumable {
            Some(resumable) => resumable.rest(client, journal.in_doubt(step)).await?,
            None => Rest::All,
        };
        fence::check(client, self.fence).await?;
        let sql = match &rest {
            Rest::All => Some(&step.sql),
            Rest::End(sql) => Some(sql),
            Rest::Nothing => None,
        };
        if let Some(sql) = sql {
            begin(client, self.run, file, step).await?;
            step.remove_leftovers(client).await?;
            client.batch_execute(sql).await?;
        }
        end(client, file, step).await?;
        client.batch_execute("RESET ALL").await?;
        // No transaction keeps the token as it is meanwhile: what is done stays, and nothing follows.
        Ok(fence::check(client, self.fence).await?)
    }
}

async fn begin(client: &Client, run: Uuid, file: &File, step: &Step) -> Result<(), Error> {
    let begun = "INSERT INTO _migration_steps (name, step, checksum, run_id) VALUES ($1, $2, decode($3, 'hex'), $4)
        ON CONFLICT (name, step) DO UPDATE SET run_id = excluded.run_id";
    client.execute(begun, &[&file.name, &step.number, &step.checksum, &run]).await.map(drop)
}

/// The server itself said that the statement failed, so nobody has to ask what became of it, and its text may be mended.
/// What it left would not be found again under another name; where removing it has to wait, it stays.
pub(crate) async fn was_refused(client: &Client, file: &File, step: &Step) {
    let begun = "DELETE FROM _migration_steps WHERE name = $1 AND done_at IS NULL";
    // Where the session is gone with it, it stays in doubt.
    if client.execute(begun, &[&file.name]).await.is_ok()
        && client.batch_execute("SET lock_timeout = '5s'").await.is_ok()
    {
        let _ = step.remove_leftovers(client).await;
    }
}

async fn end(client: &Client, file: &File, step: &Step) -> Result<(), Error> {
    let done = "UPDATE _migration_steps SET done_at = clock_timestamp() WHERE name = $1 AND step = $2";
    client.execute(done, &[&file.name, &step.number]).await.map(drop)
}

/// An index of the file that could not be found again.
pub(crate) fn unnamed(file: &File) -> Option<Place> {
    let unnamed = |step: &Step| step.creates_index && step.alone && step.resumable.is_none();
    of(file).into_iter().find(unnamed).map(|step| step.place)
}
