//! Statements that run in no transaction of ours. Nobody can look at their locks afterwards, so sessions that hold a lock
//! make them wait: what they ask for then is seen.

use super::{Locks, prepared};
use migrate::{Client, plan::Mode};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use testing::Database;

/// What each keeps out, the ones before it let pass: the first that a statement waits for shows the strongest mode that it
/// asks for.
const HOLDERS: [&str; 7] =
    ["ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "EXCLUSIVE", "ACCESS EXCLUSIVE"];

/// The strongest mode asked for on each relation, and whether a table has another file afterwards.
pub(crate) async fn observed(sql: &str, said: &Locks) -> (Locks, bool) {
    let (mut seen, mut rewritten) = (Locks::new(), false);
    for holder in HOLDERS {
        let (database, client) = prepared().await;
        let before = files(&client).await;
        let unseen: Vec<_> = said.keys().filter(|relation| !seen.contains_key(*relation)).cloned().collect();
        let mut held = held(&database, &unseen, holder).await;
        held.push(hold_others(&database, said).await);
        let watcher = database.client("postgres").await;
        seen.extend(run(sql, &client, &watcher, held).await);
        rewritten = before != files(&client).await;
        if said.keys().all(|relation| seen.contains_key(relation)) {
            break;
        }
    }
    (seen, rewritten)
}

async fn files(client: &Client) -> String {
    let files = "SELECT string_agg(relname || relfilenode, ' ' ORDER BY oid) FROM pg_class WHERE relkind IN ('r', 'm')
        AND relnamespace = 'public'::regnamespace";
    client.query_one(files, &[]).await.unwrap().get(0)
}

/// A session for each relation that can be held in this mode.
async fn held(database: &Database, relations: &[String], holder: &str) -> Vec<Client> {
    let mut held = Vec::new();
    for relation in relations {
        let client = database.client("postgres").await;
        let kind = "SELECT relkind::text FROM pg_class WHERE oid = to_regclass($1)";
        let kind: String = client.query_one(kind, &[relation]).await.unwrap().get(0);
        let statement = match kind.as_str() {
            // Nobody can hold an index alone in another way.
            "i" | "I" if holder == "SHARE UPDATE EXCLUSIVE" => {
                format!("ALTER INDEX {relation} RENAME TO held_{relation}")
            }
            "i" | "I" => continue,
            _ => format!("LOCK TABLE ONLY {relation} IN {holder} MODE"),
        };
        client.batch_execute(&format!("SET lock_timeout = '5s'; BEGIN; {statement}")).await.unwrap();
        held.push(client);
    }
    held
}

/// Of the tables that were not said no lock at all may be asked for.
async fn hold_others(database: &Database, said: &Locks) -> Client {
    let client = database.client("postgres").await;
    let others = "SELECT string_agg('ONLY ' || oid::regclass, ', ') FROM pg_class WHERE relkind IN ('r', 'p')
        AND relnamespace = 'public'::regnamespace AND relname <> ALL($1)";
    let others = client.query_one(others, &[&said.keys().collect::<Vec<_>>()]).await.unwrap();
    client.batch_execute(&format!("BEGIN; LOCK TABLE {}", others.get::<_, String>(0))).await.unwrap();
    client
}

/// The mode in which it waited for each relation. Whoever it waits for lets go, also where it waits for old transactions.
async fn run(sql: &str, client: &Client, watcher: &Client, held: Vec<Client>) -> Locks {
    let mut holding = BTreeMap::new();
    for client in held {
        let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
        holding.insert(pid, client);
    }
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let waits =
        "SELECT relation::regclass::text, mode, pg_blocking_pids($1) FROM pg_locks WHERE pid = $1 AND NOT granted";
    let (mut ran, mut asked) = (std::pin::pin!(client.batch_execute(sql)), Locks::new());
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Ok(ran) = tokio::time::timeout(Duration::from_millis(5), &mut ran).await {
            ran.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
            return asked;
        }
        for row in watcher.query(waits, &[&pid]).await.unwrap() {
            if let Some(relation) = row.get::<_, Option<String>>(0) {
                asked.insert(relation, Mode::of_pg_locks(row.get(1)).unwrap());
            }
            for blocker in row.get::<_, Vec<i32>>(2) {
                holding[&blocker].batch_execute("ROLLBACK").await.unwrap();
            }
        }
        assert!(Instant::now() < deadline, "{sql} waits for somebody else");
    }
}
