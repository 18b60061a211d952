//! `start` and `resume`: batch after batch, one runner at a time.

use super::{
    Backfill, BackfillError, Progress,
    batch::{self, Batch, Statements, Told},
    pace::Pace,
    progress::{ensure, known},
    strain::{Limits, Watch},
};
use crate::{Files, patience::Patience};
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio_postgres::{Client, Error, error::SqlState};

/// The advisory lock of whoever runs a backfill: the ASCII bytes of "eapbackf". Not the migrator's: an index may be
/// built meanwhile.
const LOCK: i64 = 0x6561_7062_6163_6b66;
/// Whether a row of `pg_locks l` is this lock, held.
pub(super) const HELD: &str =
    "l.locktype = 'advisory' AND l.granted AND l.classid = 1700884578 AND l.objid = 1633905510
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";
/// The session of a runner that was killed is gone after so long.
const LEAVING: Duration = Duration::from_secs(5);
/// How often progress is told.
const TELL: Duration = Duration::from_millis(500);

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All rows are done.
    Done,
    /// It was done before.
    WasDone,
    /// Somebody paused it, by this login.
    Paused(String),
}

/// Runs a backfill, from where it is, to its end; `resume` ends a pause first. Tells how far it is, twice a second.
pub async fn run(
    client: &Client,
    files: &Files,
    name: &str,
    resume: bool,
    limits: &Limits,
    mut tell: impl FnMut(&Progress),
) -> Result<Outcome, BackfillError> {
    let Some(backfill) = files.backfill(name) else {
        let known: Vec<_> = files.backfills().iter().map(|known| known.name.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(BackfillError::Unknown { name: name.to_owned(), known });
    };
    lock(client, name).await?;
    let done = Run { client, backfill, limits }.to_the_end(resume, &mut tell).await;
    // Or what failed would be hidden behind "current transaction is aborted".
    let _ = client.batch_execute("ROLLBACK; RESET ALL").await;
    let unlocked = client.query("SELECT pg_advisory_unlock($1)", &[&LOCK]).await;
    let done = done?;
    unlocked?;
    Ok(done)
}

/// One at a time; whoever is at it is named.
async fn lock(client: &Client, name: &str) -> Result<(), BackfillError> {
    // The name is plain: the file's was checked. A server that does not look whether its client lives would go on with
    // the batch of a runner that was killed.
    let session = format!(
        "SET application_name = 'platform migrate backfill {name}'; SET plan_cache_mode = force_custom_plan;
         SET client_connection_check_interval = '2s'"
    );
    client.batch_execute(&session).await?;
    let start = Instant::now();
    while !client.query_one("SELECT pg_try_advisory_lock($1)", &[&LOCK]).await?.try_get::<_, bool>(0)? {
        let holder = format!(
            "SELECT format('process %s of %s, %s%s, since %s UTC', pid, usename, application_name, ' from ' || client_addr,
                to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')) FROM pg_locks l JOIN pg_stat_activity USING (pid) WHERE {HELD}"
        );
        let holder: Option<String> = client.query_opt(&holder, &[]).await?.map(|row| row.try_get(0)).transpose()?;
        if let Some(holder) = holder.filter(|_| start.elapsed() > LEAVING) {
            return Err(BackfillError::Busy(holder));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// What its row says before a run.
enum Stands {
    New,
    Begun,
    Paused(String),
    Done,
}

struct Run<'a> {
    client: &'a Client,
    backfill: &'a Backfill,
    limits: &'a Limits,
}

impl Run<'_> {
    async fn to_the_end(&self, resume: bool, tell: &mut impl FnMut(&Progress)) -> Result<Outcome, BackfillError> {
        ensure(self.client).await?;
        let stands = self.stands().await?;
        match &stands {
            Stands::Done => return Ok(Outcome::WasDone),
            Stands::Paused(by) if !resume => {
                return Err(BackfillError::Paused { name: self.backfill.name.clone(), by: by.clone() });
            }
            _ => (),
        }
        self.require_key().await?;
        let statements = Statements::prepare(self.client, self.backfill).await?;
        let mut watch = Watch::begin(self.client, self.limits).await?;
        if !matches!(stands, Stands::New) {
            self.take_over().await?;
        } else if self.begin().await? {
            return Ok(Outcome::Done);
        }
        let (mut pace, mut patience) = (Pace::new(self.backfill.batch), Patience::default());
        let (mut rate, mut told) = (Rate::new(), Instant::now());
        self.tell(tell).await?;
        loop {
            let now = Told { rows_per_second: rate.rows_per_second, slowed_by: watch.strain() };
            let took = match batch::run(self.client, self.backfill, &statements, pace.rows(), &now).await {
                Ok(Batch::Over) => {
                    self.tell(tell).await?;
                    return Ok(Outcome::Done);
                }
                Ok(Batch::Paused(by)) => return Ok(Outcome::Paused(by)),
                Ok(Batch::Walked(rows, took)) => {
                    patience = Patience::default();
                    rate.add(rows);
                    pace.took(took);
                    took
                }
                Err(error) => self.give_way(error, &mut pace, &mut patience).await?,
            };
            self.rest(took, &mut pace, &mut watch).await?;
            if told.elapsed() >= TELL {
                told = Instant::now();
                self.tell(tell).await?;
            }
        }
    }

    /// Rolls back what met a locked row or took too long; the error, when it was something else.
    async fn give_way(
        &self,
        error: Error,
        pace: &mut Pace,
        patience: &mut Patience,
    ) -> Result<Duration, BackfillError> {
        let too_long = error.code() == Some(&SqlState::QUERY_CANCELED);
        let smaller = pace.smaller();
        if too_long && smaller {
            self.client.batch_execute("ROLLBACK").await?;
        } else {
            patience.roll_back(self.client, error).await?;
            patience.pause().await;
        }
        Ok(Duration::ZERO)
    }

    /// Waits until the next batch may come; how long that is changes with every look.
    async fn rest(&self, took: Duration, pace: &mut Pace, watch: &mut Watch<'_>) -> Result<(), BackfillError> {
        let start = Instant::now();
        loop {
            if watch.look().await? {
                pace.looked(watch.strain().is_some());
            }
            let left = pace.pause(took).saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            tokio::time::sleep(left.min(Duration::from_secs(1))).await;
        }
    }

    async fn tell(&self, tell: &mut impl FnMut(&Progress)) -> Result<(), Error> {
        if let Some(own) = known(self.client).await?.into_iter().find(|known| known.name == self.backfill.name) {
            tell(&own);
        }
        Ok(())
    }

    async fn stands(&self) -> Result<Stands, BackfillError> {
        let row = "SELECT encode(checksum, 'hex') = $2, paused_by, done_at IS NOT NULL, reached IS NOT NULL
            FROM _migration_backfills WHERE name = $1";
        let Backfill { name, checksum, .. } = self.backfill;
        let Some(row) = self.client.query_opt(row, &[name, checksum]).await? else { return Ok(Stands::New) };
        let (same, paused, done, begun): (bool, Option<String>, bool, bool) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        match paused {
            _ if done => Ok(Stands::Done),
            // Its first batch failed; its text may be another now.
            _ if !same && !begun => Ok(Stands::New),
            _ if !same => Err(BackfillError::BegunOtherwise(name.clone())),
            Some(by) => Ok(Stands::Paused(by)),
            None => Ok(Stands::Begun),
        }
    }

    /// Its row becomes this session's.
    async fn take_over(&self) -> Result<(), BackfillError> {
        let taken = "UPDATE _migration_backfills SET pid = pg_backend_pid(), paused_by = NULL, slowed_by = NULL WHERE name = $1";
        self.client.execute(taken, &[&self.backfill.name]).await?;
        Ok(())
    }

    /// Makes its row; whether the table is empty, and there is nothing to do.
    async fn begin(&self) -> Result<bool, BackfillError> {
        let Backfill { name, table, key, checksum, .. } = self.backfill;
        let texts = key.iter().map(|column| format!("{column}::text")).collect::<Vec<_>>().join(", ");
        let order = key.iter().map(|column| format!("{column} DESC")).collect::<Vec<_>>().join(", ");
        let last = format!("SELECT ARRAY[{texts}] FROM {table} ORDER BY {order} LIMIT 1");
        let last: Option<Vec<String>> =
            self.client.query_opt(&last, &[]).await?.map(|row| row.try_get(0)).transpose()?;
        // The planner knows best how many rows there may be.
        let explained = format!("EXPLAIN (FORMAT JSON) SELECT FROM {table}");
        let explained: Value = self.client.query_one(&explained, &[]).await?.try_get(0)?;
        let total = explained[0]["Plan"]["Plan Rows"].as_i64().filter(|_| last.is_some()).unwrap_or_default();
        let begun = "INSERT INTO _migration_backfills (name, checksum, until, total, pid, done_at)
            VALUES ($1, decode($2, 'hex'), $3, $4, pg_backend_pid(), CASE WHEN $5 THEN clock_timestamp() END)
            ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum, until = excluded.until, total = excluded.total,
                pid = excluded.pid, paused_by = NULL, done_at = excluded.done_at";
        let (empty, until) = (last.is_none(), last.unwrap_or_default());
        self.client.execute(begun, &[name, checksum, &until, &total, &empty]).await?;
        Ok(empty)
    }

    /// Without a unique index each batch would sort the table; a NULL would never be reached.
    async fn require_key(&self) -> Result<(), BackfillError> {
        let Backfill { table, key, .. } = self.backfill;
        let unique = "SELECT EXISTS (SELECT FROM pg_index i WHERE indrelid = $1::text::regclass AND indisunique AND indisvalid
            AND indpred IS NULL AND indexprs IS NULL AND $2::text[] = (
                SELECT array_agg(attname::text ORDER BY n) FROM unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k (attnum, n)
                JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND a.attnotnull))";
        if self.client.query_one(unique, &[table, key]).await?.try_get(0)? {
            return Ok(());
        }
        Err(BackfillError::Key { table: table.clone(), key: key.join(", ") })
    }
}

/// Rows in a second, of about the last one.
struct Rate {
    since: Instant,
    rows: i64,
    rows_per_second: f64,
}

impl Rate {
    fn new() -> Self {
        Self { since: Instant::now(), rows: 0, rows_per_second: 0.0 }
    }

    #[expect(clippy::cast_precision_loss, reason = "a second has fewer rows than an f64 can count")]
    fn add(&mut self, rows: i64) {
        self.rows += rows;
        let passed = self.since.elapsed();
        if passed >= Duration::from_secs(1) {
            self.rows_per_second = self.rows as f64 / passed.as_secs_f64();
            (self.since, self.rows) = (Instant::now(), 0);
        }
    }
}
