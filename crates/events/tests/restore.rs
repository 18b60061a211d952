//! A dump, restored into a fresh cluster, goes on where the log ended.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use db::{Db, Options, Work};
use events::{Actor, Event, Kind, Sequencer, read_after};
use private_postgres::{Cluster, Programs, Purpose};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};
use testing::Database;
use types::{Clock, OrgId, Rng};

/// Rows per table, the partitions each by itself.
const COUNTS: &str = "SELECT relname::text, (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I', relname), false, true, '')))[1]::text
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY relname";

async fn emit(db: &Db, clock: &Clock, rng: &Rng, n: i32) {
    let org = OrgId::new(rng, clock.now());
    let tx = db.begin(org).await.unwrap();
    let event = Event::new(Kind::ResourceCreated, &Actor::SYSTEM, clock, rng).org(org).data(json!({ "n": n }));
    tx.emit(event.personal(json!({"email": "ada@example.com"})).into());
    tx.commit().await.unwrap();
}

/// What a consumer has not seen yet: position and number.
async fn read(db: &Db) -> Vec<(i64, i64)> {
    let tx = db.system(Work::Consumer).await.unwrap();
    let events = read_after(&tx, "test", 100).await.unwrap();
    tx.commit().await.unwrap();
    events.iter().map(|event| (event.position, event.data["n"].as_i64().unwrap())).collect()
}

async fn counts(url: &str) -> Vec<(String, String)> {
    let client = migrate::connect(url).await.unwrap();
    client.query(COUNTS, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn run(program: &Path, arguments: &[&str]) {
    let Output { status, stderr, .. } = Command::new(program).args(arguments).output().unwrap();
    assert!(status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&stderr));
}

/// A cluster that has the roles and an empty database, as the first step of a recovery makes them.
async fn fresh_cluster(programs: &Programs, folder: &Path) -> Cluster {
    let cluster = Cluster::start(programs, folder, Purpose::Test).unwrap();
    let postgres = migrate::connect(&cluster.url("postgres", "postgres")).await.unwrap();
    migrate::roles::ensure(&postgres).await.unwrap();
    postgres.batch_execute("CREATE DATABASE restored OWNER admin_user TEMPLATE template0").await.unwrap();
    let restored = migrate::connect(&cluster.url("postgres", "restored")).await.unwrap();
    migrate::roles::ensure(&restored).await.unwrap();
    cluster
}

#[tokio::test]
async fn a_dump_restored_into_a_fresh_cluster_goes_on_without_loss_repetition_or_a_step_back() {
    let programs = Programs::find().unwrap();
    let (database, clock, rng) = (Database::new().await, Clock::system(), Rng::system());
    let db = database.pool();
    let folder: PathBuf = std::env::temp_dir().join(format!("platform-restore-{}", std::process::id()));
    let dump = std::env::temp_dir().join(format!("platform-restore-{}.sql", std::process::id()));
    let dump_path = dump.to_str().unwrap();

    // Two are logged and read, one is logged and not read, one waits in the outbox.
    emit(&db, &clock, &rng, 1).await;
    emit(&db, &clock, &rng, 2).await;
    let mut sequencer = Sequencer::new(&clock, &rng);
    sequencer.run_once(&db).await.unwrap();
    assert_eq!(read(&db).await, [(1, 1), (2, 2)]);
    emit(&db, &clock, &rng, 3).await;
    sequencer.run_once(&db).await.unwrap();
    emit(&db, &clock, &rng, 4).await;

    let owner = database.owner_url();
    run(&programs.program("pg_dump"), &["--enable-row-security", "--file", dump_path, "--dbname", &owner]);
    let cluster = fresh_cluster(&programs, &folder).await;
    let target = cluster.url("admin_user", "restored");
    let strict = ["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", dump_path, "--dbname", &target];
    run(&programs.program("psql"), &strict);
    std::fs::remove_file(&dump).unwrap();

    assert_eq!(counts(&target).await, counts(&owner).await);
    let db = Db::new(&Options { url: cluster.url("api_platform_app", "restored"), max_connections: 2 }).unwrap();
    emit(&db, &clock, &rng, 5).await;
    let owner = migrate::connect(&target).await.unwrap();
    owner.batch_execute("UPDATE _fence SET until = clock_timestamp() - interval '1 s'").await.unwrap();
    assert_eq!(Sequencer::new(&clock, &rng).run_once(&db).await.unwrap(), 2);
    assert_eq!(read(&db).await, [(3, 3), (4, 4), (5, 5)]);
}
