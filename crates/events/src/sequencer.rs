//! One process at a time moves committed outbox rows, in id order, into the event log.
//!
//! A sequence alone loses late commits and transaction ids invert dependent changes, so the order is given here, after
//! the commit. The lease is fenced: the statement that moves repeats the lease's condition, so a process that lost it
//! moves nothing. Time is PostgreSQL's.

use db::{Db, DbResult, SystemTx, Work, row, sql};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use types::{Clock, Rng};
use uuid::Uuid;

/// Rows a flight.
const BATCH: i64 = 2_000;
/// Without a wake-up in this process, how soon another one's rows are seen.
const POLL: Duration = Duration::from_millis(100);
/// After a batch that was not full: lets more rows gather.
const PAUSE: Duration = Duration::from_millis(5);
/// How far behind the highest moved id a late commit is still looked for by a bounded scan.
const LATE: Duration = Duration::from_mins(1);
/// After an error.
const RETRY: Duration = Duration::from_secs(1);

pub(crate) const STATEMENTS: &[db::Sql] = statements::ALL;

row! {
    /// What a flight moved.
    #[derive(Debug)]
    pub(crate) struct Moved { moved: i64, highest: Option<i64> }
}
row! {
    /// The fence's row, locked.
    #[derive(Debug)]
    pub(crate) struct Held { held: bool }
}

sql! {
    /// Locks the fence if the lease is ours or free. A statement of its own, so that the next one has a fresh snapshot.
    pub fn lock(tx: SystemTx, holder: Uuid) -> opt Held =
        "SELECT holder IS NOT DISTINCT FROM $1 AND until > clock_timestamp() AS held FROM _fence
         WHERE name = 'sequencer' AND (holder = $1 OR until < clock_timestamp()) FOR UPDATE";

    /// Moves up to `batch` rows above an id; no row: the lease is another's.
    pub fn move_rows(tx: SystemTx, holder: Uuid, above: i64, batch: i64) -> opt Moved =
        "WITH fence AS MATERIALIZED (
             SELECT last_position, greatest(last_at, statement_timestamp()) AS at FROM _fence
             WHERE name = 'sequencer' AND (holder = $1 OR until < clock_timestamp())),
         picked AS MATERIALIZED (
             SELECT ctid FROM outbox WHERE id > $2 AND EXISTS (SELECT FROM fence) ORDER BY id LIMIT $3),
         moved AS (DELETE FROM outbox o WHERE o.ctid = ANY (ARRAY(SELECT ctid FROM picked)) RETURNING o.*),
         salted AS MATERIALIZED (
             SELECT m.*, CASE WHEN m.personal IS NOT NULL THEN uuid_send(gen_random_uuid()) END AS salt FROM moved m),
         apart AS (
             INSERT INTO event_personal (event_id, org_id, user_id, salt, data)
             SELECT event_id, org_id, user_id, salt, personal FROM salted WHERE personal IS NOT NULL),
         logged AS (
             INSERT INTO events (sequenced_at, position, id, kind, org_id, user_id, actor, act, target, request_id, data,
                 personal_hash, at)
             SELECT f.at, f.last_position + row_number() OVER (ORDER BY s.id), s.event_id, s.kind, s.org_id, s.user_id,
                 s.actor, s.act, s.target, s.request_id, s.data, sha256(s.salt || convert_to(s.personal::text, 'UTF8')), s.at
             FROM salted s, fence f ORDER BY s.id),
         total AS (SELECT count(*) AS moved, max(id) AS highest FROM moved),
         advanced AS (
             UPDATE _fence SET holder = $1, until = clock_timestamp() + interval '5 s',
                 last_position = last_position + t.moved, last_at = (SELECT at FROM fence)
             FROM total t WHERE name = 'sequencer' AND EXISTS (SELECT FROM fence)
             AND (t.moved > 0 OR holder IS DISTINCT FROM $1 OR until < clock_timestamp() + interval '3 s'))
         SELECT t.moved, t.highest FROM total t, fence";
}

/// A process that may become the one that sequences.
#[derive(Debug)]
pub struct Sequencer {
    holder: Uuid,
    known: Known,
}

/// From which id on the outbox is scanned: dead entries below it cost time, late commits below it must be found.
#[derive(Debug)]
struct Known {
    /// What was highest a minute ago or more.
    scan_above: i64,
    /// What was highest at `since`.
    at_since: i64,
    highest: i64,
    since: Instant,
}

impl Known {
    fn nothing() -> Self {
        Self { scan_above: 0, at_since: 0, highest: 0, since: Instant::now() }
    }

    /// Where a scan begins; once a minute at the very beginning, for a commit that hung longer than the bound allows.
    fn begin(&mut self, now: Instant) -> i64 {
        if now.duration_since(self.since) < LATE {
            return self.scan_above;
        }
        (self.scan_above, self.at_since, self.since) = (self.at_since, self.highest, now);
        0
    }

    fn moved(&mut self, highest: Option<i64>) {
        self.highest = self.highest.max(highest.unwrap_or_default());
    }
}

impl Sequencer {
    /// One with a name of its own.
    pub fn new(clock: &Clock, rng: &Rng) -> Self {
        Self { holder: rng.uuid(clock.now()), known: Known::nothing() }
    }

    /// Sequences until told to stop.
    pub async fn run(mut self, db: Db, stop: CancellationToken) {
        loop {
            let wait = match self.run_once(&db).await {
                Ok(moved) if moved == usize::try_from(BATCH).unwrap_or(usize::MAX) => Duration::ZERO,
                Ok(0) => POLL,
                Ok(_) => PAUSE,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the sequencer waits for the database");
                    RETRY
                }
            };
            let woken = async {
                if wait == POLL {
                    let _ = timeout(wait, db.committed()).await;
                } else {
                    sleep(wait).await;
                }
            };
            if stop.run_until_cancelled(woken).await.is_none() {
                return;
            }
        }
    }

    /// Moves one batch if the lease is ours or free; says how many rows.
    pub async fn run_once(&mut self, db: &Db) -> DbResult<usize> {
        let tx = db.system(Work::Sequencer).await?;
        let Some(Held { held }) = lock(&tx, self.holder).await? else {
            self.known = Known::nothing();
            return Ok(0);
        };
        if !held {
            self.known = Known::nothing();
        }
        let above = self.known.begin(Instant::now());
        let Some(moved) = move_rows(&tx, self.holder, above, BATCH).await? else { return Ok(0) };
        tx.commit().await?;
        if moved.moved > 0 {
            db.notify_log_grew();
        }
        self.known.moved(moved.highest);
        Ok(usize::try_from(moved.moved).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_begins_where_the_log_was_a_minute_ago_and_once_a_minute_at_the_beginning() {
        let mut known = Known::nothing();
        let minute = |n: u32| known.since + LATE * n;
        let [first, second, third] = [minute(1), minute(2), minute(3)];
        known.moved(Some(10));
        assert_eq!([known.begin(first), known.begin(first)], [0, 0]);
        known.moved(Some(20));
        assert_eq!([known.begin(second), known.begin(second)], [0, 10], "20 was moved less than a minute ago");
        known.moved(None);
        assert_eq!([known.begin(third), known.begin(third)], [0, 20]);
    }
}
