//! Which tokens were overtaken by a change: a poll of `invalidations`, so that every process refuses them within 1 s.

use crate::{Claims, Code, Problem};
use db::{Db, DbResult, Work};
use futures_util::future::BoxFuture;
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};
use tokio::{sync::Mutex, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use types::OrgId;
use uuid::Uuid;

const INTERVAL: Duration = Duration::from_millis(400);
/// When the last good poll is older, a request looks for itself.
const FRESH: Duration = Duration::from_millis(900);
/// A row can become visible as long after its `at` as a transaction may be open (30 s), and a little.
const OVERLAP: Duration = Duration::from_secs(35);
/// Longer than any access token lives: what came before concerns none.
const HORIZON: Duration = Duration::from_mins(11);

db::row! {
    /// Tokens of `subject` with a lower version are out of date.
    #[derive(Clone, Debug)]
    pub struct Invalidation {
        /// `session` or `membership`.
        kind: String,
        /// Of a membership.
        org_id: Option<OrgId>,
        /// The session, or the member.
        subject: Uuid,
        /// The lowest version that still holds.
        min_version: i32,
    }
}

db::sql! {
    /// Those of the last seconds, by the database's clock. `statement_timestamp` is stable, so the index serves.
    pub fn since(db: db::SystemTx, seconds: f64) -> all Invalidation =
        "SELECT kind, org_id, subject, min_version FROM invalidations \
         WHERE at > statement_timestamp() - make_interval(secs => $1)";
    /// Tokens of this session with a lower version answer 401 from now on.
    pub fn invalidate_session(db: db::Tx, session: Uuid, min_version: i32) -> exec db::Done =
        "INSERT INTO invalidations (kind, subject, min_version) VALUES ('session', $1, $2)";
    /// Tokens of this member with a lower version answer 401 from now on.
    pub fn invalidate_membership(db: db::Tx, org: OrgId, member: Uuid, min_version: i32) -> exec db::Done =
        "INSERT INTO invalidations (kind, org_id, subject, min_version) VALUES ('membership', $1, $2, $3)";
}

/// Reads the invalidations of the last so many.
pub type Source = Arc<dyn Fn(Duration) -> BoxFuture<'static, DbResult<Vec<Invalidation>>> + Send + Sync>;

/// What is known of revoked tokens. A clone is the same.
#[derive(Clone)]
pub struct Revocations(Arc<Inner>);

struct Inner {
    source: Source,
    known: RwLock<Known>,
    /// One poll of a request at a time, and when the last one ended.
    polling: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Known {
    /// The lowest version that holds, and when we learned it.
    least: HashMap<(Option<OrgId>, Uuid), (i32, Instant)>,
    last_good_poll: Option<Instant>,
}

impl Revocations {
    /// From the database's table.
    pub fn of(db: Db) -> Self {
        let source = move |span: Duration| -> BoxFuture<'static, _> {
            let db = db.clone();
            Box::pin(async move {
                let tx = db.system(Work::Revocation).await?;
                let rows = since(&tx, span.as_secs_f64()).await?;
                tx.commit().await?;
                Ok(rows)
            })
        };
        Self::reading(Arc::new(source))
    }

    /// From any source, for tests.
    pub fn reading(source: Source) -> Self {
        Self(Arc::new(Inner { source, known: RwLock::default(), polling: Mutex::default() }))
    }

    /// Polls until shutdown.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut was_good = true;
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            let polled = self.poll().await;
            if let Err(error) = &polled
                && was_good
            {
                tracing::warn!(error = error as &dyn std::error::Error, "revocations cannot be read");
            }
            was_good = polled.is_ok();
        }
    }

    /// Refuses a token that was overtaken; asks the database itself when the last poll is too old to know.
    pub(crate) async fn check(&self, claims: &Claims) -> Result<(), Problem> {
        if !self.is_fresh() {
            self.catch_up().await?;
        }
        if self.overtaken(claims) { Err(Code::TokenOutdated.into()) } else { Ok(()) }
    }

    /// A poll for this request; who waited for another's takes its result, also when it failed.
    async fn catch_up(&self) -> Result<(), Problem> {
        let asked = Instant::now();
        let mut last_end = self.0.polling.lock().await;
        if self.is_fresh() {
            return Ok(());
        }
        if last_end.is_some_and(|end| end > asked) {
            return Err(Code::Unavailable.into());
        }
        let polled = self.poll().await;
        *last_end = Some(Instant::now());
        Ok(polled?)
    }

    fn is_fresh(&self) -> bool {
        self.last_good_poll().is_some_and(|poll| poll.elapsed() < FRESH)
    }

    fn last_good_poll(&self) -> Option<Instant> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner).last_good_poll
    }

    fn overtaken(&self, claims: &Claims) -> bool {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        let older = |key, version| known.least.get(&key).is_some_and(|(least, _)| version < *least);
        older((None, claims.sid.0), claims.session_version)
            || claims.org.is_some_and(|org| older((Some(org), claims.sub.0), claims.membership_version))
    }

    async fn poll(&self) -> DbResult<()> {
        let begun = Instant::now();
        let span = self.last_good_poll().map_or(HORIZON, |poll| begun.duration_since(poll)) + OVERLAP;
        let rows = (self.0.source)(span).await?;
        self.0.known.write().unwrap_or_else(PoisonError::into_inner).learn(rows, begun);
        Ok(())
    }
}

impl Known {
    fn learn(&mut self, rows: Vec<Invalidation>, now: Instant) {
        self.least.retain(|_, (_, learned)| now.duration_since(*learned) < HORIZON + OVERLAP);
        for row in rows {
            let org = row.org_id.filter(|_| row.kind == "membership");
            let entry = self.least.entry((org, row.subject)).or_insert((row.min_version, now));
            if row.min_version >= entry.0 {
                *entry = (row.min_version, now);
            }
        }
        // An older poll that ends later knows less.
        self.last_good_poll = self.last_good_poll.max(Some(now));
    }
}

#[cfg(test)]
mod tests;
