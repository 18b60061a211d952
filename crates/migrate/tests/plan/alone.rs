//! Statements that run in no transaction of ours. Nobody can look at their locks afterwards, so sessions that hold a lock
//! make them wait: what they ask for then is seen.

use super::{Locks, prepared};
use migrate::{Client, plan::Mode};
use std::time::{Duration, Instant};

/// What each keeps out, the ones before it let pass: the first that a statement waits for shows the strongest mode that it
/// asks for.
const HOLDERS: [&str; 7] =
    ["ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "EXCLUSIVE", "ACCESS EXCLUSIVE"];

/// The strongest mode asked for on each relation, and whether a table has another file afterwards.
pub(crate) async fn observed(sql: &str, said: &Locks) -> (Locks, bool) {
    let mut seen = Locks::new();
    for relation in said.keys() {
        if let Some(mode) = strongest(sql, relation).await {
            seen.insert(relation.clone(), mode);
        }
    }
    let rewritten = passes_all_others(sql, said).await;
    (seen, rewritten)
}

async fn strongest(sql: &str, relation: &str) -> Option<Mode> {
    for holder in HOLDERS {
        let (database, client) = prepared().await;
        let held = match relkind(&client, relation).await.as_str() {
            // Nobody can hold an index alone in another way.
            "i" | "I" if holder == "SHARE UPDATE EXCLUSIVE" => format!("ALTER INDEX {relation} SET (fillfactor = 80)"),
            "i" | "I" => continue,
            _ => format!("LOCK TABLE ONLY {relation} IN {holder} MODE"),
        };
        let holding = database.client("postgres").await;
        holding.batch_execute(&format!("BEGIN; {held}")).await.unwrap();
        if let Some(mode) = asked_for(sql, relation, &client, &holding).await {
            return Some(mode);
        }
    }
    None
}

async fn relkind(client: &Client, relation: &str) -> String {
    let kind = "SELECT relkind::text FROM pg_class WHERE oid = to_regclass($1)";
    client.query_one(kind, &[&relation]).await.unwrap().get(0)
}

/// Runs it; the mode in which it waited for the relation, when it did. Whoever it waits for in another way, as for all old
/// transactions, lets go as well.
async fn asked_for(sql: &str, relation: &str, client: &Client, holding: &Client) -> Option<Mode> {
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let oid: u32 = client.query_one("SELECT to_regclass($1)::oid", &[&relation]).await.unwrap().get(0);
    let waits = "SELECT relation, mode FROM pg_locks WHERE pid = $1 AND NOT granted";
    let (mut ran, mut asked) = (std::pin::pin!(client.batch_execute(sql)), None);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Ok(ran) = tokio::time::timeout(Duration::from_millis(5), &mut ran).await {
            ran.unwrap();
            return asked;
        }
        for row in holding.query(waits, &[&pid]).await.unwrap() {
            if row.get::<_, Option<u32>>(0) == Some(oid) {
                asked = Mode::of_pg_locks(row.get(1));
            }
            holding.batch_execute("ROLLBACK").await.unwrap();
        }
        assert!(Instant::now() < deadline, "{sql} waits for somebody else");
    }
}

/// Runs it while every other table is held in the strongest mode: it asks for none of them.
async fn passes_all_others(sql: &str, said: &Locks) -> bool {
    let (database, client) = prepared().await;
    let others = "SELECT string_agg(oid::regclass::text, ', ') FROM pg_class WHERE relkind IN ('r', 'p')
        AND relnamespace = 'public'::regnamespace AND relname <> ALL($1)";
    let said: Vec<_> = said.keys().collect();
    let others: String = client.query_one(others, &[&said]).await.unwrap().get(0);
    let holding = database.client("postgres").await;
    holding.batch_execute(&format!("BEGIN; LOCK TABLE ONLY {}", others.replace(", ", ", ONLY "))).await.unwrap();
    let files = "SELECT string_agg(relname || relfilenode, ' ' ORDER BY oid) FROM pg_class WHERE relkind IN ('r', 'm')
        AND relnamespace = 'public'::regnamespace";
    let before: String = client.query_one(files, &[]).await.unwrap().get(0);
    client.batch_execute("SET lock_timeout = '2s'").await.unwrap();
    let ran = client.batch_execute(sql).await;
    assert!(ran.is_ok(), "{sql} asks for a table that was not said, one of {others}: {ran:?}");
    before != client.query_one(files, &[]).await.unwrap().get::<_, String>(0)
}
