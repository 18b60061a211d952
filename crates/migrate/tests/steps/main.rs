//! Interrupted runs: each ends in the same schema, started again.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and tell")]

mod faults;
mod unfinished;

use migrate::{Blocker, Client, Event, Files, Options, Running, UpError, repair, roles, schema, status, up};
use private_postgres::{Cluster, Programs, Purpose};
use std::{
    cell::RefCell,
    time::{Duration, Instant},
};
use testing::Database;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UnixStream},
};

const PEOPLE: (&str, &str) = (
    "20250101_people.sql",
    "CREATE TABLE people (id int, name text); INSERT INTO people SELECT n, n::text FROM generate_series(1, 100) n;
     CREATE TABLE parts (id int) PARTITION BY LIST (id); CREATE TABLE part PARTITION OF parts FOR VALUES IN (1);",
);
const INDEXES: (&str, &str) = (
    "20250102_indexes.sql",
    "-- no-transaction\nCREATE INDEX CONCURRENTLY people_by_id ON people (id);\nALTER TABLE people ADD COLUMN age int;
     CREATE UNIQUE INDEX CONCURRENTLY people_by_name ON people (name);\nDROP INDEX CONCURRENTLY people_by_id;
     ALTER TABLE parts DETACH PARTITION part CONCURRENTLY;",
);
const LATER: (&str, &str) = ("20250103_later.sql", "ALTER TABLE people ADD COLUMN email text");

fn files(files: &[(&str, &str)]) -> Files {
    Files::embedded(files).unwrap()
}

async fn apply(client: &Client, files: &Files) -> usize {
    up(client, files, &Options::default(), |_| {}).await.unwrap().len()
}

async fn until(client: &Client, holds: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !client.query_one(holds, &[]).await.unwrap().get::<_, bool>(0) {
        assert!(Instant::now() < deadline, "{holds}");
        tokio::task::yield_now().await;
    }
}

/// Passes so many messages of the client on, then hangs up on both, as when the process is killed.
async fn cut_after(listener: TcpListener, socket: String, messages: usize) -> bool {
    let (mut client, _) = listener.accept().await.unwrap();
    client.set_nodelay(true).unwrap();
    let mut server = UnixStream::connect(socket).await.unwrap();
    let (mut asked, mut answered) = (vec![0; 65536], vec![0; 65536]);
    let mut passed = 0;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read {
                Ok(length) if length > 0 => {
                    if passed == messages { return true; }
                    passed += 1;
                    server.write_all(&asked[..length]).await.unwrap();
                }
                _ => return false,
            },
            read = server.read(&mut answered) => match read {
                Ok(length) if length > 0 => if client.write_all(&answered[..length]).await.is_err() { return false },
                _ => return false,
            },
        }
    }
}

/// The socket of the test server, and a URL of a database on it by way of a port.
fn by_way_of(database: &Database, port: u16) -> (String, String) {
    let url = database.owner_url();
    let (start, query) = url.split_once("/test_").map(|(start, rest)| (start, rest.split_once('?').unwrap())).unwrap();
    let value = |name: &str| {
        let value = query.1.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap();
        value.replace("%2F", "/").replace("%2D", "-").replace("%2E", ".").replace("%5F", "_")
    };
    assert!(start.ends_with('@'));
    let socket = format!("{}/.s.PGSQL.{}", value("host"), value("port"));
    (socket, format!("postgresql://admin_user@127.0.0.1:{port}/test_{}?sslmode=disable", query.0))
}

#[tokio::test]
async fn a_run_cut_off_at_any_message_goes_on_to_the_same_schema() {
    let all = files(&[PEOPLE, INDEXES, LATER]);
    let (_whole, owner) = Database::without_tables().await;
    apply(&owner, &all).await;
    let expected = schema::statements(&owner).await.unwrap();
    let mut points = 0;
    for messages in 1.. {
        let (database, owner) = Database::without_tables().await;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (socket, url) = by_way_of(&database, listener.local_addr().unwrap().port());
        let proxy = tokio::spawn(cut_after(listener, socket, messages));
        if let Ok(client) = migrate::connect(&url).await {
            let _ = up(&client, &all, &Options::default(), |_| {}).await;
        }
        if !proxy.await.unwrap() {
            break;
        }
        points += 1;
        apply(&owner, &all).await;
        assert_eq!(schema::statements(&owner).await.unwrap(), expected, "cut after {messages} messages");
        assert!(status(&owner, &all).await.unwrap().iter().all(|entry| entry.record.is_some()));
    }
    println!("cut off at {points} messages, resumed to an equal schema each time");
    assert!(points > 30, "{points}");
}

#[tokio::test]
async fn an_index_build_that_waits_names_whom_it_waits_for_and_ends_who_was_named() {
    let (database, owner) = Database::without_tables().await;
    apply(&owner, &files(&[PEOPLE])).await;
    let holder = database.client("admin_user").await;
    holder.batch_execute("BEGIN; INSERT INTO people VALUES (0)").await.unwrap();
    let pid: i32 = holder.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let watcher = Some(database.client("admin_user").await);
    let options = Options { cancel: vec![pid], watcher, ..Options::default() };
    let mut told = Vec::new();
    let tell = |event: &Event| match event {
        Event::Waiting { blockers, .. } => told.extend(blockers.iter().map(|blocker| (blocker.pid, "waits"))),
        Event::Ended(blocker) => told.push((blocker.pid, "ended")),
        Event::Applied(_) | Event::Behind { .. } => {}
    };
    assert_eq!(up(&owner, &files(&[PEOPLE, INDEXES]), &options, tell).await.unwrap().len(), 1);
    assert_eq!(told, [(pid, "waits"), (pid, "ended")]);
    assert!(holder.batch_execute("COMMIT").await.is_err());
}

#[tokio::test]
async fn what_is_done_of_a_file_stays_as_it_is_and_the_rest_can_be_mended() {
    let (_database, owner) = Database::without_tables().await;
    let broken = ("20250102_a.sql", "-- no-transaction\nCREATE INDEX CONCURRENTLY i ON people (id);\nSELECT nonsense;");
    let error = up(&owner, &files(&[PEOPLE, broken]), &Options::default(), |_| {}).await.unwrap_err().to_string();
    assert!(error.starts_with("20250102_a.sql:3:1: column \"nonsense\""), "{error}");
    let mended = files(&[PEOPLE, (broken.0, "-- no-transaction\nSELECT 1;\nSELECT 2")]);
    let error = up(&owner, &mended, &Options::default(), |_| {}).await.unwrap_err();
    assert!(matches!(error, UpError::BegunOtherwise { done: 1, .. }), "{error}");
    let mended = (broken.0, "-- no-transaction\nCREATE INDEX CONCURRENTLY i ON people (id);\nSELECT 1");
    assert_eq!(apply(&owner, &files(&[PEOPLE, mended])).await, 1);
    // Nothing of it is done, and the server said so.
    let typo = ("20250103_a.sql", "-- no-transaction\nCREATE INDEX CONCURRENTLY j ON people (naem)");
    let error = up(&owner, &files(&[PEOPLE, mended, typo]), &Options::default(), |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("naem"), "{error}");
    let right = (typo.0, "-- no-transaction\nCREATE INDEX CONCURRENTLY j ON people (id)");
    assert_eq!(apply(&owner, &files(&[PEOPLE, mended, right])).await, 1);
    let unnamed = files(&[
        PEOPLE,
        mended,
        right,
        ("20250104_b.sql", "-- no-transaction\nCREATE INDEX CONCURRENTLY ON people (id)"),
    ]);
    let error = up(&owner, &unnamed, &Options::default(), |_| {}).await.unwrap_err();
    assert!(matches!(&error, UpError::Unnamed { place, .. } if place.line == 2), "{error}");
}

#[tokio::test]
async fn a_blocked_change_lets_others_pass_names_who_is_in_the_way_and_succeeds_after() {
    let (database, owner) = Database::without_tables().await;
    apply(&owner, &files(&[PEOPLE])).await;
    let all = files(&[PEOPLE, LATER]);
    let holder = database.client("admin_user").await;
    holder.batch_execute("BEGIN; SELECT FROM people").await.unwrap();
    let pid: i32 = holder.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let told = RefCell::new(Vec::<Blocker>::new());
    let tell = |event: &Event| {
        if let Event::Waiting { blockers, .. } = event {
            told.borrow_mut().extend_from_slice(blockers);
        }
    };
    let release = async {
        while told.borrow().is_empty() {
            tokio::task::yield_now().await;
        }
        // The lock was given back: who comes now is not held up by the waiting change.
        let passes = database.client("admin_user").await;
        passes.batch_execute("SET lock_timeout = '5s'; SELECT FROM people").await.unwrap();
        holder.batch_execute("COMMIT").await.unwrap();
    };
    let options = Options::default();
    let (applied, ()) = tokio::join!(up(&owner, &all, &options, tell), release);
    assert_eq!(applied.unwrap().len(), 1);
    let told = told.borrow();
    assert_eq!((told[0].pid, told[0].holds.as_deref()), (pid, Some("ACCESS SHARE on people")));
}

#[tokio::test]
async fn only_the_blocker_that_was_named_is_ended() {
    let (database, owner) = Database::without_tables().await;
    apply(&owner, &files(&[PEOPLE])).await;
    let holder = database.client("admin_user").await;
    holder.batch_execute("BEGIN; SELECT FROM people").await.unwrap();
    let pid: i32 = holder.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let options = Options { cancel: vec![pid], ..Options::default() };
    assert_eq!(up(&owner, &files(&[PEOPLE, LATER]), &options, |_| {}).await.unwrap().len(), 1);
    assert!(holder.batch_execute("COMMIT").await.is_err());
}

#[tokio::test]
async fn whoever_holds_a_row_or_what_a_body_needs_is_named_too() {
    let (database, owner) = Database::without_tables().await;
    let mut all = vec![PEOPLE];
    apply(&owner, &files(&all)).await;
    for (held, file, sql) in [
        (
            "UPDATE people SET name = 'held' WHERE id = 1",
            "20250102_row.sql",
            "UPDATE people SET name = 'x' WHERE id < 5",
        ),
        ("SELECT FROM people", "20250103_body.sql", "DO 'BEGIN ALTER TABLE people ADD COLUMN age int; END'"),
    ] {
        all.push((file, sql));
        let holder = database.client("admin_user").await;
        holder.batch_execute(&format!("BEGIN; {held}")).await.unwrap();
        let pid: i32 = holder.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
        let watcher = Some(database.client("admin_user").await);
        let options = Options { watcher, ..Options::default() };
        let told = RefCell::new(Vec::new());
        let tell = |event: &Event| {
            if let Event::Waiting { blockers, .. } = event {
                told.borrow_mut().extend(blockers.iter().map(|blocker| blocker.pid));
            }
        };
        let release = async {
            while told.borrow().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            holder.batch_execute("COMMIT").await.unwrap();
        };
        let now = files(&all);
        let (applied, ()) = tokio::join!(up(&owner, &now, &options, tell), release);
        assert_eq!((applied.unwrap().len(), told.borrow()[0]), (1, pid), "{file}");
    }
}

#[tokio::test]
async fn a_file_that_an_image_to_come_could_not_stand_is_refused() {
    let (_database, owner) = Database::without_tables().await;
    let contract = files(&[("20250102_a.sql", "-- oldest-app: 1.2.0\nSELECT 1")]);
    let must_run = |version: &str| Options {
        must_run: vec![Running { service: "auth".into(), version: version.into() }],
        ..Options::default()
    };
    let refused = up(&owner, &contract, &must_run("1.1.9"), |_| {}).await.unwrap_err();
    assert!(matches!(&refused, UpError::TooOld { version, .. } if version == "1.1.9"), "{refused}");
    assert_eq!(up(&owner, &contract, &must_run("1.2.0"), |_| {}).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_repair_is_recorded_with_its_reason() {
    let (_database, owner) = Database::without_tables().await;
    apply(&owner, &files(&[PEOPLE, LATER])).await;
    let now = files(&[PEOPLE, (LATER.0, "-- A comment.\nALTER TABLE people ADD COLUMN email text")]);
    assert!(matches!(repair(&owner, &now, PEOPLE.0, "no need at all").await, Err(UpError::NothingToRepair(_))));
    assert!(matches!(repair(&owner, &now, LATER.0, " ").await, Err(UpError::NoReason)));
    repair(&owner, &now, LATER.0, "only a comment").await.unwrap();
    assert_eq!(apply(&owner, &now).await, 0);
    repair(&owner, &files(&[PEOPLE]), LATER.0, "merged into another").await.unwrap();
    assert_eq!(apply(&owner, &files(&[PEOPLE])).await, 0);
    let rows = owner.query("SELECT reason, by FROM _migration_repairs ORDER BY id", &[]).await.unwrap();
    let rows: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let by = "admin_user".to_owned();
    assert_eq!(rows, [("only a comment".to_owned(), by.clone()), ("merged into another".to_owned(), by)]);
}

#[tokio::test]
async fn a_server_restarted_in_the_middle_loses_nothing() {
    let folder = std::env::temp_dir().join(format!("platform-migrate-restart-{}", std::process::id()));
    let start = || Cluster::start(&Programs::find().unwrap(), &folder, Purpose::Development).unwrap();
    let cluster = start();
    let superuser = migrate::connect(&cluster.url("postgres", "postgres")).await.unwrap();
    roles::ensure(&superuser).await.unwrap();
    // The second statement waits once, in the first run.
    let slow = "-- no-transaction\nCREATE INDEX CONCURRENTLY i ON people (id);
        SELECT CASE WHEN (SELECT count(*) FROM waits) = 0 THEN pg_sleep(600) END;";
    let waits = ("20250101_waits.sql", "CREATE TABLE waits (id int)");
    let owner = migrate::connect(&cluster.url("admin_user", "postgres")).await.unwrap();
    let restart = async {
        until(&superuser, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep')").await;
        drop(cluster);
    };
    let all = files(&[PEOPLE, waits, ("20250102_slow.sql", slow)]);
    let options = Options::default();
    let (cut, ()) = tokio::join!(up(&owner, &all, &options, |_| {}), restart);
    assert!(cut.is_err());
    let cluster = start();
    let owner = migrate::connect(&cluster.url("admin_user", "postgres")).await.unwrap();
    let done = "SELECT count(*) FROM _migration_steps WHERE done_at IS NOT NULL";
    assert_eq!(owner.query_one(done, &[]).await.unwrap().get::<_, i64>(0), 1);
    owner.batch_execute("INSERT INTO waits VALUES (1)").await.unwrap();
    assert_eq!(apply(&owner, &all).await, 1);
    drop(cluster);
    std::fs::remove_dir_all(folder).unwrap();
}
