//! The fence: an older holder of a lock changes nothing more, wherever it is when a newer one comes.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use migrate::{Client, Fence, Files, Options, UpError, raise_fence, schema, status, up, verify};
use std::time::{Duration, Instant};
use testing::Database;

const PEOPLE: (&str, &str) = ("20250101_people.sql", "CREATE TABLE people (id int)");
const LATER: (&str, &str) = ("20250103_later.sql", "ALTER TABLE people ADD COLUMN email text");

fn files(files: &[(&str, &str)]) -> Files {
    Files::embedded(files).unwrap()
}

fn fence(token: i64) -> Fence {
    Fence { environment: "production".to_owned(), token }
}

fn under(token: i64) -> Options {
    Options { fence: Some(fence(token)), ..Options::default() }
}

async fn until(client: &Client, holds: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !client.query_one(holds, &[]).await.unwrap().get::<_, bool>(0) {
        assert!(Instant::now() < deadline, "{holds}");
        tokio::task::yield_now().await;
    }
}

async fn applied(client: &Client, files: &Files) -> usize {
    status(client, files).await.unwrap().iter().filter(|entry| entry.record.is_some()).count()
}

/// Ends as soon as somebody waits for the table of the fence, and fails when nobody does for half a minute.
const UNTIL_NEWER_WAITS: &str = "DO $$ BEGIN
    FOR look IN 1..3000 LOOP
        IF EXISTS (SELECT FROM pg_locks WHERE relation = '_migration_fence'::regclass AND NOT granted) THEN RETURN; END IF;
        PERFORM pg_sleep(0.01);
    END LOOP;
    RAISE 'nobody waits for the fence';
END $$;";

#[tokio::test]
async fn an_older_holder_is_refused_at_its_start_and_told_who_holds_a_newer_token() {
    let (_database, owner) = Database::without_tables().await;
    let all = files(&[PEOPLE, LATER]);
    up(&owner, &files(&[PEOPLE]), &under(7), |_| {}).await.unwrap();
    // The same holder once more, and one of another environment, as after a restore.
    up(&owner, &files(&[PEOPLE]), &under(7), |_| {}).await.unwrap();
    raise_fence(&owner, &Fence { environment: "staging".to_owned(), token: 99 }).await.unwrap();
    let refused = up(&owner, &all, &under(6), |_| {}).await.unwrap_err();
    let UpError::Fenced { fence: lost, known } = &refused else { panic!("{refused}") };
    assert_eq!(*lost, fence(6));
    assert!(known.starts_with("7 (admin_user") && known.ends_with(" UTC)"), "{known}");
    let said = refused.to_string();
    assert!(said.starts_with("this run lost the lock of production: its token is 6, the newest in the"), "{said}");
    assert!(said.contains("nothing more was applied"), "{said}");
    assert!(matches!(raise_fence(&owner, &fence(6)).await, Err(UpError::Fenced { .. })));
    assert_eq!(applied(&owner, &all).await, 1);
    assert_eq!(up(&owner, &all, &under(8), |_| {}).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_newer_token_waits_for_the_running_file_and_the_next_one_of_the_older_holder_is_refused() {
    let (database, owner) = Database::without_tables().await;
    let slow = format!("CREATE TABLE slow (id int); {UNTIL_NEWER_WAITS}");
    let all = files(&[PEOPLE, ("20250102_slow.sql", &slow), LATER]);
    let newer = database.client("admin_user").await;
    let raise = async {
        until(&newer, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep')").await;
        raise_fence(&newer, &fence(2)).await.unwrap();
        // From here on nothing of the older holder comes any more: its file is whole, and the next one is not begun.
        let whole = newer.query_one("SELECT to_regclass('slow') IS NOT NULL", &[]).await.unwrap();
        assert!(whole.get::<_, bool>(0));
    };
    let options = under(1);
    let (older, ()) = tokio::join!(up(&owner, &all, &options, |_| {}), raise);
    assert!(matches!(older, Err(UpError::Fenced { .. })), "{older:?}");
    assert_eq!(applied(&newer, &all).await, 2);
    // Its session is in order, and the lock of migrators is free.
    assert_eq!(up(&newer, &all, &under(2), |_| {}).await.unwrap().len(), 1);
    assert!(matches!(up(&owner, &all, &options, |_| {}).await, Err(UpError::Fenced { .. })));
}

#[tokio::test]
async fn an_older_holder_does_not_go_on_between_statements_that_share_a_transaction_with_nobody() {
    let (database, owner) = Database::without_tables().await;
    let indexes = "-- no-transaction\nCREATE INDEX CONCURRENTLY by_id ON people (id);\nDROP INDEX CONCURRENTLY by_id;
        ALTER TABLE people ADD COLUMN age int;";
    let all = files(&[PEOPLE, ("20250102_indexes.sql", indexes)]);
    up(&owner, &files(&[PEOPLE]), &under(1), |_| {}).await.unwrap();
    let (writer, newer) = (database.client("admin_user").await, database.client("admin_user").await);
    writer.batch_execute("BEGIN; INSERT INTO people VALUES (1)").await.unwrap();
    let raise = async {
        until(&newer, "SELECT EXISTS (SELECT FROM pg_index WHERE NOT indisvalid)").await;
        // The build holds no transaction that would keep the token as it is.
        raise_fence(&newer, &fence(2)).await.unwrap();
        writer.batch_execute("COMMIT").await.unwrap();
    };
    let options = under(1);
    let (older, ()) = tokio::join!(up(&owner, &all, &options, |_| {}), raise);
    assert!(matches!(older, Err(UpError::Fenced { .. })), "{older:?}");
    let built = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('by_id')";
    assert!(newer.query_one(built, &[]).await.unwrap().get::<_, bool>(0));
    let done = "SELECT count(*) FILTER (WHERE done_at IS NOT NULL), count(*) FROM _migration_steps";
    let done = newer.query_one(done, &[]).await.unwrap();
    assert_eq!((done.get::<_, i64>(0), done.get::<_, i64>(1)), (1, 1));
    assert_eq!(up(&newer, &all, &under(2), |_| {}).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_older_holder_does_not_go_on_between_statements_of_a_file_without_a_transaction() {
    let (database, owner) = Database::without_tables().await;
    let slow = format!("-- no-transaction\n{UNTIL_NEWER_WAITS}\nALTER TABLE people ADD COLUMN age int;");
    let all = files(&[PEOPLE, ("20250102_slow.sql", &slow)]);
    let newer = database.client("admin_user").await;
    let raise = async {
        until(&newer, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep')").await;
        raise_fence(&newer, &fence(2)).await.unwrap();
    };
    let options = under(1);
    let (older, ()) = tokio::join!(up(&owner, &all, &options, |_| {}), raise);
    assert!(matches!(older, Err(UpError::Fenced { .. })), "{older:?}");
    let age = "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'people'::regclass AND attname = 'age')";
    assert!(!newer.query_one(age, &[]).await.unwrap().get::<_, bool>(0));
    assert_eq!(up(&newer, &all, &under(2), |_| {}).await.unwrap().len(), 1);
    assert!(newer.query_one(age, &[]).await.unwrap().get::<_, bool>(0));
}

#[tokio::test]
async fn a_holder_whose_token_was_deleted_under_it_applies_nothing() {
    let (_database, owner) = Database::without_tables().await;
    let all = files(&[PEOPLE, ("20250102_delete.sql", "DELETE FROM _migration_fence"), LATER]);
    let refused = up(&owner, &all, &under(1), |_| {}).await.unwrap_err();
    assert!(matches!(&refused, UpError::Fenced { known, .. } if known == "none"), "{refused}");
    assert_eq!(applied(&owner, &all).await, 2);
}

#[tokio::test]
async fn who_gives_no_fence_is_held_up_by_none() {
    let (_database, owner) = Database::without_tables().await;
    up(&owner, &files(&[PEOPLE]), &under(3), |_| {}).await.unwrap();
    assert_eq!(up(&owner, &files(&[PEOPLE, LATER]), &Options::default(), |_| {}).await.unwrap().len(), 1);
    let (_other, owner) = Database::without_tables().await;
    up(&owner, &files(&[PEOPLE]), &Options::default(), |_| {}).await.unwrap();
    let none = owner.query_one("SELECT to_regclass('_migration_fence') IS NULL", &[]).await.unwrap();
    assert!(none.get::<_, bool>(0));
}

#[tokio::test]
async fn the_fence_is_nothing_that_status_and_verify_see() {
    let (database, owner) = Database::without_tables().await;
    let all = files(&[PEOPLE, LATER]);
    up(&owner, &all, &under(1), |_| {}).await.unwrap();
    let (_scratch, scratch) = Database::without_tables().await;
    assert!(verify(&owner, &scratch, &all).await.unwrap().is_empty());
    assert_eq!(schema::statements(&owner).await.unwrap(), schema::statements(&scratch).await.unwrap());
    assert_eq!(applied(&database.client("readonly_user").await, &all).await, 2);
}

#[tokio::test]
async fn two_that_bring_the_first_tokens_at_once_both_find_the_table_and_the_newer_one_stays() {
    let (database, owner) = Database::without_tables().await;
    let other = database.client("admin_user").await;
    let (one, two) = (fence(1), fence(2));
    let (_, newer) = tokio::join!(raise_fence(&owner, &one), raise_fence(&other, &two));
    newer.unwrap();
    let known = "SELECT token FROM _migration_fence";
    assert_eq!(owner.query_one(known, &[]).await.unwrap().get::<_, i64>(0), 2);
}
