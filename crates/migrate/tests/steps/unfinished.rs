//! Statements that no transaction takes back: killed in the middle they leave something, which the next run ends or
//! removes.

use super::{PEOPLE, apply, files, until};
use migrate::{Client, Event, Files, Options, up};
use std::time::Duration;
use testing::Database;

/// Kills the session of an `up` once this statement of it waits for somebody; nobody is in its way any more afterwards.
async fn kill_waiting(database: &Database, all: &Files, statement: &str, holds: &str) {
    let (holder, killed) = (database.client("admin_user").await, database.client("admin_user").await);
    holder.batch_execute(&format!("BEGIN; {holds}")).await.unwrap();
    let superuser = database.client("postgres").await;
    let waiting = format!(
        "FROM pg_stat_activity WHERE query LIKE '{statement}%' AND wait_event_type = 'Lock' AND datname = current_database()"
    );
    let kill = async {
        until(&superuser, &format!("SELECT EXISTS (SELECT {waiting})")).await;
        superuser.query(&format!("SELECT pg_terminate_backend(pid, 10000) {waiting}"), &[]).await.unwrap();
    };
    let options = Options::default();
    let (cut, ()) = tokio::join!(up(&killed, all, &options, |_| {}), kill);
    assert!(cut.is_err());
    holder.batch_execute("COMMIT").await.unwrap();
}

async fn texts(client: &Client, sql: &str) -> Vec<String> {
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// Without those of tables' long values, which only a superuser may drop.
const INVALID: &str = "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class c ON c.oid = indrelid
    WHERE NOT indisvalid AND relkind <> 't'";
const INDEXES: &str = "SELECT schemaname || '.' || indexname FROM pg_indexes WHERE schemaname IN ('public', 'archive')
    AND tablename NOT LIKE '\\_migration%' ORDER BY 1";
const JOURNAL: &str = "SELECT name FROM _migration_steps";

#[tokio::test]
async fn a_killed_index_build_leaves_an_invalid_index_that_is_built_anew() {
    let (database, owner) = Database::without_tables().await;
    apply(&owner, &files(&[PEOPLE])).await;
    let all = files(&[PEOPLE, super::INDEXES]);
    kill_waiting(&database, &all, "CREATE INDEX CONC", "INSERT INTO people VALUES (0)").await;
    assert_eq!(texts(&owner, INVALID).await, ["people_by_id"]);
    assert_eq!(apply(&owner, &all).await, 1);
    assert!(texts(&owner, INVALID).await.is_empty() && texts(&owner, JOURNAL).await.is_empty());
}

#[tokio::test]
async fn an_index_of_another_schema_is_not_taken_for_one_of_the_same_name() {
    let (database, owner) = Database::without_tables().await;
    let archive = (
        "20250102_archive.sql",
        "CREATE SCHEMA archive; CREATE TABLE archive.people (id int); CREATE INDEX \"By Id\" ON people (id);
         CREATE INDEX by_name ON people (name); CREATE INDEX by_name ON archive.people (id)",
    );
    apply(&owner, &files(&[PEOPLE, archive])).await;
    let made = "-- no-transaction\nCREATE INDEX CONCURRENTLY \"By Id\" ON archive.people (id)";
    let dropped = "-- no-transaction\nDROP INDEX CONCURRENTLY archive.by_name";
    let mut all = vec![PEOPLE, archive];
    for file in [("20250103_made.sql", made), ("20250104_dropped.sql", dropped)] {
        all.push(file);
        let statement = file.1.lines().last().unwrap().get(..17).unwrap();
        kill_waiting(&database, &files(&all), statement, "INSERT INTO archive.people VALUES (0)").await;
        assert_eq!(apply(&owner, &files(&all)).await, 1, "{statement}");
    }
    assert_eq!(texts(&owner, INDEXES).await, ["archive.By Id", "public.By Id", "public.by_name"]);
    assert!(texts(&owner, INVALID).await.is_empty());
}

#[tokio::test]
async fn what_a_refused_index_build_leaves_is_removed_so_that_another_name_may_be_given() {
    let (_database, owner) = Database::without_tables().await;
    let twice = "-- no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY one ON people ((id % 2))";
    let error =
        up(&owner, &files(&[PEOPLE, ("20250102_a.sql", twice)]), &Options::default(), |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("could not create unique index"), "{error}");
    let mended = "-- no-transaction\nCREATE INDEX CONCURRENTLY other ON people ((id % 2))";
    assert_eq!(apply(&owner, &files(&[PEOPLE, ("20250102_a.sql", mended)])).await, 1);
    assert_eq!(texts(&owner, INDEXES).await, ["public.other"]);
}

#[tokio::test]
async fn a_killed_reindex_leaves_no_second_index() {
    let (database, owner) = Database::without_tables().await;
    let first = (
        "20250102_a.sql",
        "CREATE INDEX by_id ON people (id); CREATE TABLE others (id int); CREATE INDEX others_ccnew ON others (id);
         CREATE SCHEMA archive; CREATE TABLE archive.people (id int); CREATE INDEX by_id ON archive.people (id)",
    );
    apply(&owner, &files(&[PEOPLE, first])).await;
    let mut all = vec![PEOPLE, first];
    for (name, sql, left) in [
        ("20250103_index.sql", "-- no-transaction\nREINDEX INDEX CONCURRENTLY by_id", "by_id_ccnew"),
        ("20250104_table.sql", "-- no-transaction\nREINDEX TABLE CONCURRENTLY people", "by_id_ccnew"),
        ("20250105_schema.sql", "-- no-transaction\nREINDEX SCHEMA CONCURRENTLY archive", "archive.by_id_ccnew"),
    ] {
        all.push((name, sql));
        let holds = "INSERT INTO people VALUES (0); INSERT INTO archive.people VALUES (0)";
        kill_waiting(&database, &files(&all), "REINDEX", holds).await;
        assert_eq!(texts(&owner, INVALID).await, [left], "{name}");
        assert_eq!(apply(&owner, &files(&all)).await, 1, "{name}");
        assert!(texts(&owner, INVALID).await.is_empty(), "{name}");
    }
    assert_eq!(texts(&owner, INDEXES).await, ["archive.by_id", "public.by_id", "public.others_ccnew"]);
}

const DETACHED: (&str, &str) =
    ("20250102_a.sql", "-- no-transaction\nALTER TABLE ONLY parts DETACH PARTITION part CONCURRENTLY");
const PARTITIONS: &str = "SELECT inhrelid::regclass::text FROM pg_inherits";

#[tokio::test]
async fn a_detached_partition_that_was_killed_is_detached_to_the_end() {
    let (database, owner) = Database::without_tables().await;
    apply(&owner, &files(&[PEOPLE])).await;
    let all = files(&[PEOPLE, DETACHED]);
    kill_waiting(&database, &all, "ALTER TABLE", "SELECT FROM parts").await;
    assert_eq!(texts(&owner, &format!("{PARTITIONS} WHERE inhdetachpending")).await, ["part"]);
    assert_eq!(apply(&owner, &all).await, 1);
    assert!(texts(&owner, PARTITIONS).await.is_empty() && texts(&owner, JOURNAL).await.is_empty());
}

#[tokio::test]
async fn a_statement_of_no_transaction_that_is_kept_waiting_keeps_nobody_else_waiting() {
    let archive = (
        "20250102_archive.sql",
        "CREATE SCHEMA archive; CREATE TABLE archive.people (id int); CREATE INDEX ON archive.people (id);
         CREATE INDEX ON parts (id)",
    );
    for (statement, holds, passes) in [
        // In the way of the second half, which nobody may read the partition beside.
        ("ALTER TABLE parts DETACH PARTITION part CONCURRENTLY", "SELECT FROM part", "SELECT FROM part"),
        ("REINDEX SCHEMA archive", "INSERT INTO archive.people VALUES (1)", "INSERT INTO archive.people VALUES (2)"),
        // Each partition is held for as long as they are counted.
        ("REINDEX TABLE CONCURRENTLY parts", "INSERT INTO parts VALUES (1)", "INSERT INTO parts VALUES (1)"),
    ] {
        let (database, owner) = Database::without_tables().await;
        apply(&owner, &files(&[PEOPLE, archive])).await;
        let (holder, other) = (database.client("admin_user").await, database.client("admin_user").await);
        holder.batch_execute(&format!("BEGIN; {holds}")).await.unwrap();
        let (mut waited, told) = (false, tokio::sync::Notify::new());
        let tell = |event: &Event| {
            if let Event::Waiting { .. } = event {
                waited = true;
                told.notify_one();
            }
        };
        let release = async {
            tokio::time::timeout(Duration::from_secs(30), told.notified()).await.expect("its lock given back");
            other.batch_execute(&format!("SET lock_timeout = '5s'; {passes}")).await.unwrap();
            holder.batch_execute("COMMIT").await.unwrap();
        };
        let sql = format!("-- no-transaction\n{statement}");
        let (all, options) = (files(&[PEOPLE, archive, ("20250103_alone.sql", &sql)]), Options::default());
        let (done, ()) = tokio::join!(up(&owner, &all, &options, tell), release);
        assert_eq!((done.unwrap().len(), waited), (1, true), "{statement}");
        assert!(texts(&owner, INVALID).await.is_empty(), "{statement}");
    }
}
