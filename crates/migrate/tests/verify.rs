//! What `verify` sees: each thing of the catalog that somebody may change by hand, as the statements that tell of it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use migrate::{Client, Files, Options, UpError, schema, up, verify};
use std::collections::BTreeSet;
use testing::Database;

/// What the files make.
const MADE: (&str, &str) = ("20250101_made.sql", include_str!("verify/made.sql"));
/// What is changed by hand, a statement a line, with what it says then: `-` what the database lacks, `+` what no file
/// makes.
const BY_HAND: &str = include_str!("verify/by_hand.txt");

/// The statement, and what `verify` should say.
fn cases() -> Vec<(&'static str, Vec<&'static str>)> {
    let told = |case: &'static str| {
        let mut lines = case.lines();
        (lines.next().unwrap(), lines.collect())
    };
    BY_HAND.trim_end().split("\n\n").map(told).collect()
}

fn difference(should: &BTreeSet<String>, is: &BTreeSet<String>) -> Vec<String> {
    let lacks = should.difference(is).map(|statement| format!("- {statement}"));
    let all = lacks.chain(is.difference(should).map(|statement| format!("+ {statement}")));
    all.map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

async fn made(client: &Client) -> Files {
    let files = Files::embedded(&[MADE]).unwrap();
    up(client, &files, &Options::default(), |_| {}).await.unwrap();
    files
}

#[tokio::test]
async fn every_change_by_hand_is_told_as_the_statements_that_differ() {
    let (database, owner) = Database::without_tables().await;
    made(&owner).await;
    let client = database.client("postgres").await;
    let should = schema::statements(&client).await.unwrap();
    assert_eq!(should, schema::statements(&owner).await.unwrap());
    let (mut wrong, cases) = (Vec::new(), cases());
    for (by_hand, expected) in &cases {
        client.batch_execute(&format!("BEGIN; {by_hand}")).await.unwrap();
        let said = difference(&should, &schema::statements(&client).await.unwrap());
        client.batch_execute("ROLLBACK").await.unwrap();
        if said != *expected {
            wrong.push(format!("{by_hand}\n{}", said.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
    assert!(cases.len() >= 60, "{}", cases.len());
}

#[test]
fn every_change_by_hand_is_told_on_the_newest_postgresql() {
    testing::assert_on_newest_postgres(&["every_change_by_hand_is_told_as_the_statements_that_differ"]);
}

async fn first_day(client: &Client) -> String {
    let days = "SELECT min(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'events'::regclass";
    client.query_one(days, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn days_that_came_and_went_differ_from_none_and_one_that_is_not_as_the_others_does() {
    let (_database, owner) = Database::without_tables().await;
    let all = testing::migrations();
    up(&owner, &all, &Options::default(), |_| {}).await.unwrap();
    owner
        .batch_execute("SELECT ensure_partitions('events', 9), ensure_partitions('analytics_events', 12)")
        .await
        .unwrap();
    let first_day = first_day(&owner).await;
    owner.batch_execute(&format!("DROP TABLE {first_day}; SET timezone = 'Asia/Tokyo'")).await.unwrap();
    let (_scratch, scratch) = Database::without_tables().await;
    assert!(verify(&owner, &scratch, &all).await.unwrap().is_empty());
    let should = schema::statements(&owner).await.unwrap();
    let first_day = self::first_day(&owner).await;
    owner.batch_execute(&format!("ALTER TABLE {first_day} NO FORCE ROW LEVEL SECURITY")).await.unwrap();
    let said = difference(&should, &schema::statements(&owner).await.unwrap());
    let force = "ALTER TABLE events_YYYYMMDD FORCE ROW LEVEL SECURITY;";
    assert_eq!(said, [format!("- {force}"), format!("+ {force} -- not of every day")]);
}

#[tokio::test]
async fn a_scratch_database_with_rights_alone_is_empty_and_one_with_a_type_is_not() {
    let (_database, owner) = Database::without_tables().await;
    let files = made(&owner).await;
    let (_scratch, scratch) = Database::without_tables().await;
    scratch.batch_execute("CREATE TYPE mood AS ENUM ('good')").await.unwrap();
    let refused = verify(&owner, &scratch, &files).await.unwrap_err();
    assert!(matches!(&refused, UpError::NotEmpty(has) if has.starts_with("CREATE TYPE mood")), "{refused}");
    scratch.batch_execute("DROP TYPE mood").await.unwrap();
    assert!(verify(&owner, &scratch, &files).await.unwrap().is_empty());
}
