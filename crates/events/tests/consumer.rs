//! Each event has its effect once, whatever dies and whoever reads beside.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use db::{Db, Done, SystemTx, Work, sql};
use events::{Actor, Event, Kind, LoggedEvent, Sequencer, read_after};
use serde_json::json;
use testing::Database;
use types::{Clock, OrgId, Rng};

const EVENTS: i64 = 40;
const CONSUMER: &str = "test";

sql! {
    /// The effect of an event, in the transaction that moves the cursor.
    pub fn effect(tx: SystemTx, position: i64) -> exec Done = "INSERT INTO effects (position) VALUES ($1)";
}

/// A database with a log of forty entries, moved in batches, and a table of effects.
async fn database() -> Database {
    let database = Database::new().await;
    let owner = database.client("admin_user").await;
    // Without a key: an effect that happened twice is there twice.
    owner
        .batch_execute("CREATE TABLE effects (position bigint NOT NULL); GRANT SELECT, INSERT ON effects TO eap_system")
        .await
        .unwrap();
    let (clock, rng, db) = (Clock::system(), Rng::system(), database.pool());
    let mut sequencer = Sequencer::new(&clock, &rng);
    let org = OrgId::new(&rng, clock.now());
    for n in 1..=EVENTS {
        let tx = db.begin(org).await.unwrap();
        tx.emit(
            Event::new(Kind::ResourceCreated, &Actor::SYSTEM, &clock, &rng).org(org).data(json!({ "n": n })).into(),
        );
        tx.commit().await.unwrap();
        if n % 7 == 0 {
            sequencer.run_once(&db).await.unwrap();
        }
    }
    sequencer.run_once(&db).await.unwrap();
    database
}

/// One turn of a consumer; without `survives` it dies between its effects and its commit.
async fn turn(db: &Db, survives: bool) -> Vec<LoggedEvent> {
    let tx = db.system(Work::Consumer).await.unwrap();
    let events = read_after(&tx, CONSUMER, 3).await.unwrap();
    for event in &events {
        effect(&tx, event.position).await.unwrap();
    }
    if survives {
        tx.commit().await.unwrap();
    }
    events
}

async fn effects(database: &Database) -> Vec<i64> {
    let postgres = database.client("postgres").await;
    let rows = postgres.query("SELECT position FROM effects ORDER BY position", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_consumer_that_dies_before_every_other_commit_still_does_each_thing_once() {
    let database = database().await;
    let db = database.pool();
    for _ in 0..EVENTS {
        turn(&db, false).await;
        if turn(&db, true).await.is_empty() {
            break;
        }
    }
    assert_eq!(effects(&database).await, (1..=EVENTS).collect::<Vec<_>>());
}

#[tokio::test]
async fn three_processes_with_one_consumer_do_each_thing_once() {
    let database = database().await;
    let process = async || {
        let db = database.pool();
        for _ in 0..EVENTS {
            turn(&db, true).await;
        }
    };
    tokio::join!(process(), process(), process());
    assert_eq!(effects(&database).await, (1..=EVENTS).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_consumer_that_sees_another_one_at_work_passes_by() {
    let database = database().await;
    let db = database.pool();
    turn(&db, true).await;
    let at_work = db.system(Work::Consumer).await.unwrap();
    assert_eq!(read_after(&at_work, CONSUMER, 3).await.unwrap().len(), 3);
    assert!(turn(&db, true).await.is_empty());
}

#[tokio::test]
async fn a_new_consumer_reads_from_the_beginning_in_the_order_of_the_log() {
    let database = database().await;
    let tx = database.pool().system(Work::Consumer).await.unwrap();
    let events = read_after(&tx, "another", 100).await.unwrap();
    let numbers: Vec<_> = events.iter().map(|event| event.data["n"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=EVENTS).collect::<Vec<_>>());
}
