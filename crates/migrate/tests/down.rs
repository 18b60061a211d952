//! `down` and `verify`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use migrate::{Client, Files, Options, Trust, UpError, down, schema, up, verify};
use testing::Database;

const PEOPLE: (&str, &str) = ("20250101_people.sql", "CREATE TABLE people (id int)");
const MFA: (&str, &str) = (
    "20250102_mfa.sql",
    "ALTER TABLE people ADD COLUMN mfa boolean; CREATE TABLE codes (code text); CREATE INDEX ON people (mfa)",
);
const UNDO: (&str, &str) = ("20250102_mfa.down.sql", "DROP TABLE codes; ALTER TABLE people DROP COLUMN mfa");

fn files(files: &[(&str, &str)]) -> Files {
    Files::embedded(files).unwrap()
}

async fn apply(client: &Client, files: &Files) -> usize {
    up(client, files, &Options::default(), |_| {}).await.unwrap().len()
}

#[tokio::test]
async fn up_and_down_and_up_lead_to_the_same_schema() {
    let (_database, owner) = Database::without_tables().await;
    apply(&owner, &files(&[PEOPLE])).await;
    let before = schema::statements(&owner).await.unwrap();
    let all = files(&[PEOPLE, MFA, UNDO]);
    apply(&owner, &all).await;
    let after = schema::statements(&owner).await.unwrap();
    assert_ne!(before, after);
    let (_scratch, scratch) = Database::without_tables().await;
    down(&owner, &all, MFA.0, Trust::Scratch(&scratch), false).await.unwrap();
    assert_eq!(schema::statements(&owner).await.unwrap(), before);
    assert_eq!(apply(&owner, &all).await, 1);
    assert_eq!(schema::statements(&owner).await.unwrap(), after);
}

/// Undoes each file that can be undone, and applies it again; says how many there were.
async fn prove_each(all: &Files) -> usize {
    let (_database, owner) = Database::without_tables().await;
    let mut proven = 0;
    for file in all.in_order() {
        let before = schema::statements(&owner).await.unwrap();
        let so_far = all.only(|name| name <= file.name.as_str());
        apply(&owner, &so_far).await;
        if file.down.is_some() {
            let after = schema::statements(&owner).await.unwrap();
            down(&owner, &so_far, &file.name, Trust::Backup, false).await.unwrap();
            assert_eq!(schema::statements(&owner).await.unwrap(), before, "{}", file.name);
            apply(&owner, &so_far).await;
            assert_eq!(schema::statements(&owner).await.unwrap(), after, "{}", file.name);
            proven += 1;
        }
    }
    proven
}

#[tokio::test]
async fn every_file_of_the_project_that_can_be_undone_is_proven_to_be() {
    // The project has none yet: that one is seen shows that the next would be.
    assert_eq!(prove_each(&files(&[PEOPLE, MFA, UNDO])).await, 1);
    let all = testing::migrations();
    let downs = all.in_order().iter().filter(|file| file.down.is_some()).count();
    assert_eq!(prove_each(&all).await, downs);
}

#[tokio::test]
async fn a_down_that_ends_its_transaction_is_refused_before_anything_happens() {
    let (_database, owner) = Database::without_tables().await;
    let all = files(&[PEOPLE, MFA, (UNDO.0, "DROP TABLE codes;\nCOMMIT;\nALTER TABLE people DROP COLUMN mfa")]);
    apply(&owner, &all).await;
    owner.batch_execute("INSERT INTO codes VALUES ('123456')").await.unwrap();
    let refused = down(&owner, &all, MFA.0, Trust::Backup, true).await.unwrap_err();
    let UpError::TransactionControl { file, place } = refused else { panic!("{refused}") };
    assert_eq!((file.as_str(), place.line), (UNDO.0, 2));
    let codes: i64 = owner.query_one("SELECT count(*) FROM codes", &[]).await.unwrap().get(0);
    assert_eq!(codes, 1, "nothing of it was run");
}

#[tokio::test]
async fn a_down_that_would_lose_values_is_refused_until_a_backup_has_them() {
    let (_database, owner) = Database::without_tables().await;
    let all = files(&[PEOPLE, MFA, UNDO]);
    apply(&owner, &all).await;
    owner.batch_execute("INSERT INTO people VALUES (1, true); INSERT INTO codes VALUES ('a')").await.unwrap();
    let refused = down(&owner, &all, MFA.0, Trust::Backup, false).await.unwrap_err();
    assert!(matches!(&refused, UpError::LosesRows { lost, .. } if lost == "codes.code, people.mfa"), "{refused}");
    assert_eq!(owner.query("SELECT FROM people WHERE mfa", &[]).await.unwrap().len(), 1);
    down(&owner, &all, MFA.0, Trust::Backup, true).await.unwrap();
    assert!(owner.query("SELECT FROM codes", &[]).await.is_err());
}

#[tokio::test]
async fn rows_that_are_deleted_and_those_of_other_schemas_are_missed_too() {
    for (undo, lost) in [
        ("DELETE FROM people WHERE id > 3", "2 rows of people"),
        ("TRUNCATE people", "people.id"),
        ("DROP SCHEMA archive CASCADE", "archive.people.id"),
        ("DELETE FROM archive.people WHERE id = 1", "1 rows of archive.people"),
        ("CREATE TABLE kept AS SELECT FROM people; DELETE FROM people", "people.id, 5 rows of people"),
    ] {
        let (_database, owner) = Database::without_tables().await;
        let all =
            files(&[PEOPLE, ("20250102_more.sql", "CREATE TABLE more (id int)"), ("20250102_more.down.sql", undo)]);
        let rows =
            "CREATE SCHEMA archive; CREATE TABLE archive.people (id int); INSERT INTO archive.people VALUES (1), (2);
            INSERT INTO people SELECT generate_series(1, 5)";
        apply(&owner, &all).await;
        owner.batch_execute(rows).await.unwrap();
        // What was deleted before, and by others, is not this file's.
        owner.batch_execute("INSERT INTO people VALUES (6); DELETE FROM people WHERE id = 6").await.unwrap();
        let refused = down(&owner, &all, "20250102_more.sql", Trust::Backup, false).await.unwrap_err();
        assert!(matches!(&refused, UpError::LosesRows { lost: said, .. } if said == lost), "{undo}: {refused}");
        let left = "SELECT (SELECT count(*) FROM people) + (SELECT count(*) FROM archive.people)";
        assert_eq!(owner.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 7);
        down(&owner, &all, "20250102_more.sql", Trust::Backup, true).await.unwrap();
    }
}

#[tokio::test]
async fn a_down_is_refused_whose_trial_does_not_lead_back_and_nothing_is_undone() {
    let kept_type = "CREATE TYPE mood AS ENUM ('good'); CREATE TABLE feels (mood mood)";
    for (file, undo, says) in [
        (MFA.1, "DROP TABLE codes", "left over: ALTER TABLE people ADD COLUMN mfa boolean;"),
        (MFA.1, "DROP TABLE codes; DROP TABLE people", "missing: CREATE TABLE people;"),
        (MFA.1, "DROP TABLE nothing", "table \"nothing\" does not exist"),
        (
            "INSERT INTO people VALUES (1); ALTER TABLE people ADD UNIQUE (id)",
            "ALTER TABLE people DROP CONSTRAINT people_id_key",
            "it cannot be applied again: 20250102_mfa.sql",
        ),
        (kept_type, "DROP TABLE feels", "mood"),
    ] {
        let (_database, owner) = Database::without_tables().await;
        let all = files(&[PEOPLE, (MFA.0, file), (UNDO.0, undo)]);
        apply(&owner, &all).await;
        let before = schema::statements(&owner).await.unwrap();
        let (_scratch, scratch) = Database::without_tables().await;
        let refused = down(&owner, &all, MFA.0, Trust::Scratch(&scratch), true).await.unwrap_err();
        assert!(matches!(&refused, UpError::Unproven { .. }), "{refused}");
        let said = refused.to_string();
        assert!(said.contains(says) && said.contains("write a new file") && said.contains("--backup ID"), "{said}");
        assert_eq!(schema::statements(&owner).await.unwrap(), before, "{undo}");
        assert!(matches!(down(&owner, &all, MFA.0, Trust::Scratch(&scratch), true).await, Err(UpError::NotEmpty(_))));
    }
}

#[tokio::test]
async fn without_a_database_for_it_the_trial_is_on_a_server_of_its_own() {
    let (_database, owner) = Database::without_tables().await;
    let all = files(&[PEOPLE, MFA, UNDO]);
    apply(&owner, &all).await;
    down(&owner, &all, MFA.0, Trust::Here, false).await.unwrap();
    assert!(owner.query("SELECT FROM codes", &[]).await.is_err());
    apply(&owner, &all).await;
    let half = files(&[PEOPLE, MFA, (UNDO.0, "DROP TABLE codes")]);
    let refused = down(&owner, &half, MFA.0, Trust::Here, false).await.unwrap_err();
    assert!(matches!(&refused, UpError::Unproven { .. }), "{refused}");
}

#[tokio::test]
async fn only_the_newest_file_that_has_a_down_can_be_undone() {
    let (_database, owner) = Database::without_tables().await;
    let all = files(&[PEOPLE, MFA]);
    apply(&owner, &all).await;
    assert!(matches!(down(&owner, &all, PEOPLE.0, Trust::Here, false).await, Err(UpError::NotNewest { .. })));
    assert!(matches!(down(&owner, &all, MFA.0, Trust::Here, false).await, Err(UpError::NoDown(_))));
}

#[tokio::test]
async fn verify_shows_what_no_file_makes_and_what_is_missing() {
    let (_database, owner) = Database::without_tables().await;
    let all = files(&[PEOPLE, MFA]);
    apply(&owner, &all).await;
    let (_scratch, scratch) = Database::without_tables().await;
    assert!(verify(&owner, &scratch, &all).await.unwrap().is_empty());
    assert!(matches!(verify(&owner, &scratch, &all).await, Err(UpError::NotEmpty(_))));
    owner
        .batch_execute("ALTER TABLE people ADD COLUMN by_hand text NOT NULL DEFAULT 'x'; DROP TABLE codes")
        .await
        .unwrap();
    let (_scratch, scratch) = Database::without_tables().await;
    let difference = verify(&owner, &scratch, &all).await.unwrap();
    assert_eq!(difference.unknown, ["ALTER TABLE people ADD COLUMN by_hand text NOT NULL DEFAULT 'x'::text;"]);
    assert_eq!(difference.missing, ["ALTER TABLE codes ADD COLUMN code text;", "CREATE TABLE codes;"]);
}
