//! Days that are past their time go, and nothing that somebody still has to read.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use db::{DbError, Work};
use events::partitions;
use testing::{Client, Database};

/// A partition of a day long ago with an entry and its personal values.
const LONG_AGO: &str = "
    CREATE TABLE events_20240101 (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
    ALTER TABLE events ATTACH PARTITION events_20240101 FOR VALUES FROM ('2024-01-01 00:00Z') TO ('2024-01-02 00:00Z');
    INSERT INTO events (sequenced_at, position, id, kind, actor, data, at)
    VALUES ('2024-01-01 12:00Z', -1, '00000000-0000-7000-8000-000000000001', 'x', '{}', '{}', '2024-01-01 12:00Z');
    INSERT INTO event_personal (event_id, salt, data) VALUES ('00000000-0000-7000-8000-000000000001', '', '{}')";

async fn dropped(database: &Database, days: i32) -> Result<i32, DbError> {
    let tx = database.pool().system(Work::Retention).await?;
    let dropped = partitions::drop(&tx, "events", days).await?.dropped;
    tx.commit().await?;
    Ok(dropped)
}

async fn left(owner: &Client) -> (i64, i64) {
    let counts = "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM event_personal)";
    let row = owner.query_one(counts, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn a_day_past_its_time_goes_with_its_personal_values_once_everybody_has_read_it() {
    let database = Database::new().await;
    let owner = database.client("admin_user").await;
    owner.batch_execute(LONG_AGO).await.unwrap();
    let reads = |at: &str| {
        format!(
            "INSERT INTO consumers VALUES ('slow', '{at}', 0) ON CONFLICT (name) DO UPDATE SET sequenced_at = '{at}'"
        )
    };
    owner.batch_execute(&reads("2024-01-01 11:00Z")).await.unwrap();
    assert_eq!((dropped(&database, 30).await.unwrap(), left(&owner).await), (0, (1, 1)), "somebody has to read it");
    owner.batch_execute(&reads("2024-02-01 00:00Z")).await.unwrap();
    assert_eq!(dropped(&database, 20_000).await.unwrap(), 0, "its time has not come");
    assert_eq!((dropped(&database, 30).await.unwrap(), left(&owner).await), (1, (0, 0)));
    assert_eq!(dropped(&database, 30).await.unwrap(), 0);
}

#[tokio::test]
async fn who_reads_the_log_just_now_is_not_waited_for() {
    let database = Database::new().await;
    let owner = database.client("admin_user").await;
    owner.batch_execute(LONG_AGO).await.unwrap();
    let reader = database.client("admin_user").await;
    reader.batch_execute("BEGIN; SELECT count(*) FROM events").await.unwrap();
    assert!(matches!(dropped(&database, 30).await, Err(DbError::Timeout(_))));
    reader.batch_execute("COMMIT").await.unwrap();
    assert_eq!(dropped(&database, 30).await.unwrap(), 1);
}

#[tokio::test]
async fn only_the_two_parents_are_taken_and_never_today() {
    let database = Database::new().await;
    for (parent, days) in [("users", 30), ("events", 0), ("events; DROP TABLE users", 30)] {
        let tx = database.pool().system(Work::Retention).await.unwrap();
        assert!(partitions::drop(&tx, parent, days).await.is_err(), "{parent} {days}");
    }
}
