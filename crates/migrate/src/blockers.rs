//! Who is in the way: sessions that hold what a statement needs, and those whose old snapshot it would wait for.

use crate::{catalog::Locked, locks::Mode};
use std::{collections::BTreeMap, fmt};
use tokio_postgres::{Client, Error, Row};

/// A session that a migration waits for, or may.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Blocker {
    /// Its server process, for `--cancel-blocker`.
    pub pid: i32,
    /// Its login and program.
    pub who: String,
    /// What it does: `active`, `idle in transaction`, …
    pub state: String,
    /// How old its transaction is, in seconds.
    pub seconds: i64,
    /// Its statement, or the last one.
    pub query: String,
    /// What it holds, where that is known.
    pub holds: Option<String>,
    /// An autovacuum against wraparound, which does not give way.
    pub wraparound: bool,
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, who, state, seconds, query, holds, wraparound } = self;
        let query: String = query.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(80).collect();
        let holds = holds.as_ref().map(|holds| format!(", holds {holds}")).unwrap_or_default();
        let note = if *wraparound { " (autovacuum against wraparound: let it finish)" } else { "" };
        write!(f, "process {pid} of {who}, {state} for {seconds}s{holds}: {query}{note}")
    }
}

const COLUMNS: &str =
    "a.pid, concat_ws(' ', a.usename, nullif(a.application_name, ''), CASE WHEN a.backend_type <> 'client backend'
    THEN a.backend_type END), coalesce(a.state, 'working'),
    coalesce(extract(epoch FROM clock_timestamp() - a.xact_start)::bigint, 0), coalesce(a.query, '')";

fn blocker(row: &Row, holds: Option<String>) -> Result<Blocker, Error> {
    let query: String = row.try_get(4)?;
    let wraparound = query.contains("to prevent wraparound");
    let [who, state] = [row.try_get(1)?, row.try_get(2)?];
    Ok(Blocker { pid: row.try_get(0)?, who, state, seconds: row.try_get(3)?, query, holds, wraparound })
}

/// Sessions that hold a lock against one of these, and transactions older than a minute.
pub(crate) async fn of(client: &Client, locks: &[Locked]) -> Result<Vec<Blocker>, Error> {
    let mut found = BTreeMap::new();
    let names: Vec<_> = locks.iter().map(|locked| locked.relation.as_str()).collect();
    let holders = format!(
        "SELECT {COLUMNS}, l.relation::regclass::text, l.mode FROM pg_locks l JOIN pg_stat_activity a USING (pid)
         WHERE l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
         AND l.relation::regclass::text = ANY($1) AND a.pid <> pg_backend_pid()"
    );
    for row in client.query(&holders, &[&names]).await? {
        let (relation, held): (String, String) = (row.try_get(5)?, row.try_get(6)?);
        let Some(mode) = Mode::of_pg_locks(&held) else { continue };
        if locks.iter().any(|locked| locked.relation == relation && locked.mode.conflicts(mode)) {
            let blocker = blocker(&row, Some(format!("{mode} on {relation}")))?;
            found.entry(blocker.pid).or_insert(blocker);
        }
    }
    let old = format!(
        "SELECT {COLUMNS} FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
         AND a.xact_start < clock_timestamp() - interval '1 minute'"
    );
    for row in client.query(&old, &[]).await? {
        let blocker = blocker(&row, None)?;
        found.entry(blocker.pid).or_insert(blocker);
    }
    Ok(found.into_values().collect())
}

/// Whoever keeps this server process waiting.
pub(crate) async fn blocking(watcher: &Client, waiting: i32) -> Result<Vec<Blocker>, Error> {
    let blocking =
        format!("SELECT {COLUMNS} FROM pg_stat_activity a WHERE a.pid = ANY(pg_blocking_pids($1)) ORDER BY 1");
    watcher.query(&blocking, &[&waiting]).await?.iter().map(|row| blocker(row, None)).collect()
}

/// Ends a session's statement, or the session when it only keeps its transaction open.
pub(crate) async fn end(client: &Client, pid: i32) -> Result<(), Error> {
    let end = "SELECT CASE WHEN state LIKE 'idle%' THEN pg_terminate_backend(pid) ELSE pg_cancel_backend(pid) END
        FROM pg_stat_activity WHERE pid = $1";
    client.query(end, &[&pid]).await.map(drop)
}
