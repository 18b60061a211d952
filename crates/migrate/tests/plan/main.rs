//! What `plan` says, compared with what PostgreSQL does.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and tell")]

mod alone;
mod unknown;

use migrate::{
    Client, Files, Options,
    plan::{self, Mode, Undo, Work},
    up,
};
use std::collections::{BTreeMap, BTreeSet};
use testing::Database;
use tokio::sync::OnceCell;

/// One statement a line, each on the schema below.
const CORPUS: &str = include_str!("corpus.sql");
/// The same, which older servers do not understand.
const CORPUS_18: &str = include_str!("corpus_18.sql");
const SCHEMA: &str = include_str!("schema.sql");

const SCHEMA_18: &str = "ALTER TABLE pets ADD CONSTRAINT pets_lax FOREIGN KEY (keeper) REFERENCES people NOT ENFORCED";

type Locks = BTreeMap<String, Mode>;

async fn is_18(client: &Client) -> bool {
    let is_18 = "SELECT current_setting('server_version_num')::int >= 180000";
    client.query_one(is_18, &[]).await.unwrap().get(0)
}

/// A database with the schema, and a superuser's session.
async fn prepared() -> (Database, Client) {
    static SCHEMA_IN: OnceCell<Database> = OnceCell::const_new();
    let made = SCHEMA_IN.get_or_init(async || {
        let database = Database::empty().await;
        let client = database.client("postgres").await;
        migrate::roles::ensure(&client).await.unwrap();
        client.batch_execute(SCHEMA).await.unwrap();
        if is_18(&client).await {
            client.batch_execute(SCHEMA_18).await.unwrap();
        }
        database
    });
    let database = made.await.copied().await;
    let client = database.client("postgres").await;
    (database, client)
}

/// What `plan` says of one statement.
async fn planned(client: &Client, sql: &str) -> plan::PlannedStatement {
    let header = if alone(sql) { "-- no-transaction\n" } else { "" };
    let files = Files::embedded(&[("20250101_a.sql", &format!("{header}{sql};"))]).unwrap();
    let mut plan = plan::plan(client, &files).await.unwrap();
    plan.files.remove(0).statements.remove(0)
}

/// Whether it cannot run in a transaction.
fn alone(sql: &str) -> bool {
    let of_partitioned = ["REINDEX TABLE parts", "CLUSTER held USING held_pkey"];
    sql.starts_with("VACUUM")
        || of_partitioned.contains(&sql)
        || sql.contains("CONCURRENTLY") && !sql.starts_with("REFRESH")
}

/// By number: a name may be another one by then, or gone.
const SEEN: &str = "SELECT relation, mode, granted FROM pg_locks WHERE pid = $1 AND relation = ANY($2)";

/// Tables and the like are all compared; indexes and sequences only where the statement names them.
async fn compared(client: &Client, said: &Locks) -> BTreeMap<u32, String> {
    let all = "SELECT oid, oid::regclass::text FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'archive'::regnamespace)
        AND (relkind IN ('r', 'p', 'm', 'v', 'f') OR oid::regclass::text = ANY($1))";
    let rows = client.query(all, &[&said.keys().collect::<Vec<_>>()]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn strongest(rows: &[tokio_postgres::Row], names: &BTreeMap<u32, String>) -> Locks {
    let mut locks = Locks::new();
    for row in rows {
        let mode = Mode::of_pg_locks(row.get(1)).unwrap();
        let known = locks.entry(names[&row.get(0)].clone()).or_insert(mode);
        *known = mode.max(*known);
    }
    locks
}

/// What a statement did, and PostgreSQL's words when it would not.
struct Seen {
    locks: Locks,
    /// Tables that were there have another file now.
    rewritten: bool,
    /// Tables that were there were read from end to end.
    scanned: bool,
}

/// By number, because a table may have another name afterwards.
const FILES: &str = "SELECT array_agg(oid::bigint << 32 | relfilenode::bigint) FROM pg_class WHERE relkind IN ('r', 'm') AND oid = ANY($1)";
const SCANS: &str = "SELECT coalesce(sum(seq_scan), 0)::bigint FROM pg_stat_xact_user_tables WHERE relid = ANY($1)";

/// Runs it in a transaction, at whose end its locks are still there.
async fn observed(client: &Client, sql: &str, names: &BTreeMap<u32, String>) -> Result<Seen, String> {
    client.batch_execute("BEGIN").await.unwrap();
    let oids: Vec<_> = names.keys().collect();
    let files = async || {
        client.query_one(FILES, &[&oids]).await.unwrap().get::<_, Vec<i64>>(0).into_iter().collect::<BTreeSet<_>>()
    };
    let scans = async || client.query_one(SCANS, &[&oids]).await.unwrap().get::<_, i64>(0);
    let before = (files().await, scans().await);
    if let Err(error) = client.batch_execute(sql).await {
        client.batch_execute("ROLLBACK").await.unwrap();
        return Err(error.as_db_error().unwrap().message().to_owned());
    }
    let me: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let rows = client.query(SEEN, &[&me, &oids]).await.unwrap();
    let after = (files().await, scans().await);
    client.batch_execute("ROLLBACK").await.unwrap();
    let rewritten = after.0.difference(&before.0).next().is_some();
    Ok(Seen { locks: strongest(&rows, names), rewritten, scanned: after.1 > before.1 })
}

/// Whether it did with the rows what was said.
fn is_work(sql: &str, said: Work, seen: &Seen) -> bool {
    match said {
        // What is there already nobody makes again.
        _ if sql.contains("IF NOT EXISTS") => !seen.rewritten,
        // These begin a new file without writing old rows anew, write through a copy, or sample.
        _ if ["TRUNCATE", "REFRESH", "ANALYZE"].iter().any(|word| sql.starts_with(word)) => true,
        Work::Rewrite => seen.rewritten,
        Work::Scan => seen.scanned && !seen.rewritten,
        Work::Catalog => !seen.scanned && !seen.rewritten,
        Work::Rows | Work::Found => !seen.rewritten,
        Work::Unknown => false,
    }
}

#[tokio::test]
async fn the_lock_of_every_statement_of_the_corpus_is_the_one_that_postgresql_takes() {
    let mut corpus: Vec<_> = CORPUS.lines().filter(|line| !line.is_empty()).collect();
    assert!(corpus.len() >= 120, "{}", corpus.len());
    let (_database, client) = prepared().await;
    if is_18(&client).await {
        corpus.extend(CORPUS_18.lines());
    }
    let mut wrong = Vec::new();
    for sql in &corpus {
        let said = planned(&client, sql).await;
        let locks: Locks = said.locks.iter().map(|lock| (lock.relation.clone(), lock.mode)).collect();
        let seen = if alone(sql) {
            let (locks, rewritten) = alone::observed(sql, &locks).await;
            // Nobody counts them for whoever is gone.
            Ok(Seen { locks, rewritten, scanned: said.work == Work::Scan })
        } else {
            observed(&client, sql, &compared(&client, &locks).await).await
        };
        match seen {
            Err(error) => wrong.push(format!("{sql}: {error}")),
            Ok(seen) if seen.locks != locks => {
                wrong.push(format!("{sql}\n   said {locks:?}\n   seen {:?}", seen.locks));
            }
            Ok(seen) if !is_work(sql, said.work, &seen) => {
                wrong.push(format!(
                    "{sql}\n   said {:?}, rewritten {}, scanned {}",
                    said.work, seen.rewritten, seen.scanned
                ));
            }
            Ok(_) => {}
        }
    }
    println!("{} of {} statements are as planned", corpus.len() - wrong.len(), corpus.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), corpus.len(), wrong.join("\n"));
}

#[test]
fn the_corpus_is_as_planned_on_the_newest_postgresql() {
    testing::assert_on_newest_postgres(&["the_lock_of_every_statement_of_the_corpus_is_the_one_that_postgresql_takes"]);
}

#[tokio::test]
async fn a_plan_names_sizes_blockers_images_and_what_undoes_it_and_writes_nothing() {
    let (database, owner) = Database::without_tables().await;
    let first = (
        "20250101_a.sql",
        "CREATE TABLE people (id int); CREATE TABLE instances (service text, version text, seen_at timestamptz)",
    );
    up(&owner, &Files::embedded(&[first]).unwrap(), &Options::default(), |_| {}).await.unwrap();
    let filled = "INSERT INTO people SELECT generate_series(1, 50000); ANALYZE people; INSERT INTO instances VALUES ('auth', '1.1.0', now())";
    owner.batch_execute(filled).await.unwrap();
    let reader = database.client("admin_user").await;
    reader.batch_execute("BEGIN; LOCK TABLE people IN ACCESS SHARE MODE").await.unwrap();
    let second = (
        "20250102_b.sql",
        "-- oldest-app: 1.2.0\nALTER TABLE people ALTER COLUMN id TYPE bigint;\nDO $$ BEGIN END $$;",
    );
    let files = Files::embedded(&[first, second, ("20250102_b.down.sql", "SELECT 1")]).unwrap();
    let planned = plan::plan(&owner, &files).await.unwrap();
    let file = &planned.files[0];
    assert_eq!((file.undo, file.can_no_longer_run[0].to_string().as_str()), (Undo::Down, "auth 1.1.0"));
    let lock = &file.statements[0].locks[0];
    assert_eq!((lock.rows, lock.bytes > 1_000_000), (Some(50_000), true));
    let text = plan::human(&planned);
    for part in [
        "ACCESS EXCLUSIVE: keeps out whoever reads or writes; writes every row anew",
        "holds ACCESS SHARE on people",
        "runs now and could not any more: auth 1.1.0",
        "does more than can be read from it; unknown",
        &planned.hash,
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(plan::plan(&owner, &files).await.unwrap().hash, planned.hash);
    let other = Files::embedded(&[first, (second.0, "SELECT 1")]).unwrap();
    assert_ne!(plan::plan(&owner, &other).await.unwrap().hash, planned.hash);
    let json = serde_json::to_value(&planned).unwrap();
    assert_eq!(json["files"][0]["statements"][0]["lock"], "ACCESS_EXCLUSIVE");
}
