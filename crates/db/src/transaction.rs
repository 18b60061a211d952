//! One connection's conversation: how a scope's opening, its statements and its end travel to PostgreSQL.

use crate::{DbError, DbResult, FromRow, Outgoing, Sql, outbox, pool::Committed};
use deadpool_postgres::Object;
use futures_util::{
    FutureExt,
    future::{join, join3},
};
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio_postgres::{Row, types::ToSql};

/// Parameters of a statement, in order.
pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// After this long a transaction takes no more statements: PostgreSQL 15 has no `transaction_timeout`.
const LIMIT: Duration = Duration::from_secs(30);

/// The BEGIN has not been sent yet.
const NEW: u8 = 0;
/// Between BEGIN and COMMIT.
const OPEN: u8 = 1;
/// A statement failed.
const FAILED: u8 = 2;
/// Committed.
const DONE: u8 = 3;
/// Each statement is a read-only transaction of its own.
const SINGLE: u8 = 4;

/// A transaction of whatever scope; rolled back when dropped. Statements shared by all scopes take it.
pub struct Tx {
    conn: Object,
    /// `BEGIN` and what names the scope; sent together with the first statement.
    opening: String,
    state: AtomicU8,
    /// Statements sent and not answered.
    in_flight: AtomicU8,
    since: Instant,
    outgoing: Mutex<Vec<Outgoing>>,
    committed: Committed,
}

impl Tx {
    pub(crate) fn new(conn: Object, opening: String, committed: Committed) -> Self {
        Self::starting(NEW, conn, opening, committed)
    }

    /// Each statement is sent as BEGIN, query and COMMIT in one flight.
    pub(crate) fn single_reads(conn: Object, opening: String, committed: Committed) -> Self {
        Self::starting(SINGLE, conn, opening, committed)
    }

    fn starting(state: u8, conn: Object, opening: String, committed: Committed) -> Self {
        let (state, since) = (AtomicU8::new(state), Instant::now());
        Self { conn, opening, state, in_flight: AtomicU8::new(0), since, outgoing: Mutex::default(), committed }
    }

    /// Every row.
    pub async fn all<T: FromRow>(&self, sql: &Sql, params: Params<'_>) -> DbResult<Vec<T>> {
        self.rows(sql, params).await?.iter().map(|row| Ok(T::from_row(row)?)).collect()
    }

    /// The first row, if there is one.
    pub async fn opt<T: FromRow>(&self, sql: &Sql, params: Params<'_>) -> DbResult<Option<T>> {
        Ok(self.rows(sql, params).await?.first().map(T::from_row).transpose()?)
    }

    /// The one row that such a statement always returns.
    pub async fn one<T: FromRow>(&self, sql: &Sql, params: Params<'_>) -> DbResult<T> {
        self.opt(sql, params).await?.ok_or(DbError::NoRow(sql.name))
    }

    /// No rows wanted.
    pub async fn exec<T: FromRow>(&self, sql: &Sql, params: Params<'_>) -> DbResult<()> {
        self.rows(sql, params).await.map(drop)
    }

    /// Says that something happened; written by the commit, or not at all.
    pub fn emit(&self, event: Outgoing) {
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    async fn rows(&self, sql: &Sql, params: Params<'_>) -> DbResult<Vec<Row>> {
        self.in_flight.fetch_add(1, Relaxed);
        let sent = self.send(sql, params).await;
        // Not reached when the future was dropped: nobody knows then whether the statement failed.
        self.in_flight.fetch_sub(1, Relaxed);
        if sent.is_err() && self.state.load(Relaxed) != SINGLE {
            self.state.store(FAILED, Relaxed);
        }
        sent
    }

    async fn send(&self, sql: &Sql, params: Params<'_>) -> DbResult<Vec<Row>> {
        if self.since.elapsed() > LIMIT && self.state.load(Relaxed) != SINGLE {
            return Err(DbError::Expired);
        }
        // Costs a round trip once for each statement and connection; before BEGIN, so that cancelling leaves nothing open.
        let statement = self.conn.prepare_cached(sql.text).await?;
        let query = self.conn.query(&statement, params);
        // `join` queues its messages in order at the first poll: whoever drops this future leaves nothing half sent.
        let rows = match self.state.load(Relaxed) {
            SINGLE => {
                let opening = self.conn.batch_execute(&self.opening);
                let (begun, rows, ended) = join3(opening, query, self.conn.batch_execute("COMMIT")).await;
                begun.and(rows).and_then(|rows| ended.map(|()| rows))
            }
            NEW => {
                self.state.store(OPEN, Relaxed);
                let (begun, rows) = join(self.conn.batch_execute(&self.opening), query).await;
                begun.and(rows)
            }
            FAILED => return Err(DbError::Failed),
            _ => query.await,
        };
        Ok(rows?)
    }

    /// Writes what was emitted and commits, in one flight.
    pub(crate) async fn commit(mut self) -> DbResult<()> {
        let outgoing = std::mem::take(self.outgoing.get_mut().unwrap_or_else(PoisonError::into_inner));
        match self.state.load(Relaxed) {
            _ if self.in_flight.load(Relaxed) > 0 => return Err(DbError::Failed),
            FAILED => return Err(DbError::Failed),
            NEW if outgoing.is_empty() => return Ok(()),
            _ if self.since.elapsed() > LIMIT => return Err(DbError::Expired),
            _ => {}
        }
        if outgoing.is_empty() {
            self.conn.batch_execute("COMMIT").await?;
        } else {
            self.commit_with(&outgoing).await?;
        }
        self.state.store(DONE, Relaxed);
        if !outgoing.is_empty() {
            self.committed.notify();
        }
        Ok(())
    }

    async fn commit_with(&self, outgoing: &[Outgoing]) -> DbResult<()> {
        let columns = outbox::Columns::from(outgoing);
        if self.state.load(Relaxed) == NEW {
            self.exec::<crate::Done>(&outbox::INSERT, &columns.params()).await?;
            return Ok(self.conn.batch_execute("COMMIT").await?);
        }
        let statement = self.conn.prepare_cached(outbox::INSERT.text).await?;
        let params = columns.params();
        let (written, ended) = join(self.conn.query(&statement, &params), self.conn.batch_execute("COMMIT")).await;
        // After a failed INSERT the COMMIT has rolled back.
        written?;
        Ok(ended?)
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if matches!(self.state.load(Relaxed), OPEN | FAILED) {
            // The first poll queues the message; the connection's task sends it before any other use.
            let _ = self.conn.batch_execute("ROLLBACK").now_or_never();
        }
    }
}
