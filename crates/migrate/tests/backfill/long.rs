//! What takes minutes: `cargo xtask test --long long::ten_million`.

use crate::{FILL, NAME, files, limits, owner_of, touched};
use migrate::{
    Client,
    backfill::{self, Outcome},
};
use std::time::{Duration, Instant};
use testing::Database;

const ROWS: u32 = 10_000_000;
/// People at work, each with a session and a few statements a second.
const PEOPLE: u64 = 8;
const WINDOW: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn ten_million_rows_are_touched_once_each_and_this_is_what_others_wait_meanwhile() {
    let (database, owner) = owner_of(ROWS).await;
    owner.batch_execute("ALTER TABLE people ADD seen int; ANALYZE people").await.unwrap();
    let all = files(&FILL.replace("batch: 50", "batch: 1000"));
    let mut ratios = Vec::new();
    for _ in 0..3 {
        let without = p99(&database).await;
        // Its session goes with it, in the middle of a batch.
        let runner = database.client("admin_user").await;
        let limits = limits();
        let with = tokio::select! {
            with = p99(&database) => with,
            done = backfill::run(&runner, &all, NAME, false, &limits, |_| {}) => panic!("too few rows: {done:?}"),
        };
        ratios.push(with.as_secs_f64() / without.as_secs_f64());
        println!("p99 of a statement: {without:.1?} alone, {with:.1?} beside a backfill");
    }
    ratios.sort_by(f64::total_cmp);
    let start = Instant::now();
    assert_eq!(backfill::run(&owner, &all, NAME, false, &limits(), |_| {}).await.unwrap(), Outcome::Done);
    println!("median of 3: {:.2} times as long; the rest took {:.0?}", ratios[1], start.elapsed());
    assert_eq!(touched(&owner).await, format!("{ROWS} × 1"));
}

/// How long 99 % of the statements took that people sent in a window.
async fn p99(database: &Database) -> Duration {
    let mut people = tokio::task::JoinSet::new();
    for number in 0..PEOPLE {
        people.spawn(at_work(database.client("admin_user").await, number));
    }
    let mut took = people.join_all().await.concat();
    took.sort();
    took[took.len() * 99 / 100]
}

/// Reads a row and writes one, anywhere in the table, and thinks.
async fn at_work(client: Client, number: u64) -> Vec<Duration> {
    let [read, write] = ["SELECT seen FROM people WHERE id = $1", "UPDATE people SET seen = 1 WHERE id = $1"];
    let [read, write] = [client.prepare(read).await.unwrap(), client.prepare(write).await.unwrap()];
    let (start, mut took, mut row) = (Instant::now(), Vec::new(), number);
    while start.elapsed() < WINDOW {
        // A linear congruence goes everywhere; keys are squares.
        row = (row * 6_364_136 + 1_442_695) % u64::from(ROWS);
        let key = i64::try_from((row + 1) * (row + 1)).unwrap();
        for statement in [&read, &write] {
            let asked = Instant::now();
            client.execute(statement, &[&key]).await.unwrap();
            took.push(asked.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    took
}
