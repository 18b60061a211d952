//! Backfills on a real database: what is refused, who gives way to whom, and what `up` waits for.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and tell")]

mod long;

use migrate::{
    BackfillError, Client, Files, Options, UpError,
    backfill::{self, BackfillState, Limits, Outcome, Progress},
    roles, up,
};
use private_postgres::{Cluster, Programs, Purpose};
use std::{
    cell::Cell,
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};
use testing::Database;

const NAME: &str = "20250301_fill";
const FILL: &str =
    "-- table: people\n-- key: id\n-- batch: 50\nUPDATE people SET touched = touched + 1 WHERE id BETWEEN $1 AND $2";
const PEOPLE: &str = "CREATE TABLE people (id bigint PRIMARY KEY, touched int NOT NULL DEFAULT 0)";

fn files(fill: &str) -> Files {
    Files::embedded(&[(&format!("backfills/{NAME}.sql"), fill)]).unwrap()
}

fn limits() -> Limits {
    Limits { lag: Duration::from_secs(1), p95: Duration::from_millis(250), metrics: Vec::new() }
}

async fn owner_of(rows: u32) -> (Database, Client) {
    let (database, owner) = Database::without_tables().await;
    // Gaps between keys, as years leave them.
    let fill = format!("{PEOPLE}; INSERT INTO people SELECT n::bigint * n FROM generate_series(1, {rows}) n");
    owner.batch_execute(&fill).await.unwrap();
    (database, owner)
}

async fn start(client: &Client, files: &Files) -> Result<Outcome, BackfillError> {
    backfill::run(client, files, NAME, false, &limits(), |_| {}).await
}

/// How many rows were touched how often, as in `900 × 1`.
async fn touched(client: &Client) -> String {
    let counted = "SELECT coalesce(string_agg(count || ' × ' || touched, ', ' ORDER BY touched), 'none')
        FROM (SELECT touched, count(*) FROM people GROUP BY touched) AS counted";
    client.query_one(counted, &[]).await.unwrap().get(0)
}

async fn only(client: &Client, files: &Files) -> Progress {
    let mut all = backfill::progress(client, files).await.unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[tokio::test]
async fn each_row_is_touched_once_also_by_a_key_of_two_columns_and_rows_that_come_later_are_left_alone() {
    let (database, owner) = owner_of(900).await;
    let all = files(FILL);
    assert_eq!(only(&owner, &all).await.to_string(), "✗ 20250301_fill (pending)");
    assert_eq!(start(&owner, &all).await.unwrap(), Outcome::Done);
    owner.batch_execute("INSERT INTO people VALUES (-1), (2000000)").await.unwrap();
    assert_eq!(start(&owner, &all).await.unwrap(), Outcome::WasDone);
    assert_eq!(touched(&owner).await, "2 × 0, 900 × 1");
    let reader = database.client("readonly_user").await;
    assert_eq!(only(&reader, &all).await.to_string(), "✓ 20250301_fill (done, 900 rows)");

    let two = "CREATE TABLE orders (org uuid, at timestamptz, note text, touched int NOT NULL DEFAULT 0, UNIQUE (at, org));
        ALTER TABLE orders ALTER org SET NOT NULL, ALTER at SET NOT NULL;
        INSERT INTO orders SELECT gen_random_uuid(), '2025-01-01'::timestamptz + n % 7 * interval '1 microsecond' FROM generate_series(1, 500) n";
    owner.batch_execute(two).await.unwrap();
    let fill = "-- table: orders\n-- key: at, org\n-- batch: 7\nUPDATE orders SET touched = touched + 1 WHERE (at, org) BETWEEN ($1, $2) AND ($3, $4)";
    let orders = Files::embedded(&[("backfills/20250302_orders.sql", fill)]).unwrap();
    backfill::run(&owner, &orders, "20250302_orders", false, &limits(), |_| {}).await.unwrap();
    let once = owner.query_one("SELECT count(*) FILTER (WHERE touched = 1), count(*) FROM orders", &[]).await.unwrap();
    assert_eq!((once.get::<_, i64>(0), once.get::<_, i64>(1)), (500, 500));
}

#[tokio::test]
async fn what_cannot_be_gone_through_safely_is_refused_before_any_row() {
    let (_database, owner) = owner_of(100).await;
    let refused = async |fill: &str| start(&owner, &files(fill)).await.unwrap_err().to_string();
    owner.batch_execute("ALTER TABLE people ADD part int, ADD UNIQUE (part)").await.unwrap();
    let key = refused(&FILL.replace("key: id", "key: part").replace("id BETWEEN", "part BETWEEN")).await;
    assert!(key.starts_with("people has no unique index on (part)"), "{key}");
    assert!(refused(&FILL.replace("people", "nowhere")).await.contains("\"nowhere\" does not exist"));
    assert!(refused(&FILL.replace("touched +", "nothing +")).await.contains("\"nothing\" does not exist"));
    let unknown = backfill::run(&owner, &files(FILL), "20250301_full", false, &limits(), |_| {}).await.unwrap_err();
    assert_eq!(unknown.to_string(), "there is no backfill 20250301_full; known are: 20250301_fill");
    let asked = Limits { metrics: vec!["http://127.0.0.1:9/metrics".to_owned()], ..limits() };
    let unseen = backfill::run(&owner, &files(FILL), NAME, false, &asked, |_| {}).await.unwrap_err().to_string();
    assert!(unseen.starts_with("--metrics http://127.0.0.1:9/metrics cannot be used"), "{unseen}");
    assert_eq!(touched(&owner).await, "100 × 0");
    assert_eq!(only(&owner, &files(FILL)).await.state, BackfillState::Pending);
}

#[tokio::test]
async fn a_file_that_changed_after_it_began_is_refused() {
    let (_database, owner) = owner_of(100).await;
    // The third batch fails, and what was committed before stays.
    owner.batch_execute("ALTER TABLE people ADD CHECK (touched < 1 OR id < 3600)").await.unwrap();
    assert!(start(&owner, &files(FILL)).await.unwrap_err().to_string().contains("check constraint"));
    assert_eq!(only(&owner, &files(FILL)).await.state, BackfillState::Stopped);
    let changed = start(&owner, &files(&FILL.replace("touched + 1", "touched + 2"))).await.unwrap_err();
    assert!(matches!(changed, BackfillError::BegunOtherwise(_)), "{changed}");
    owner.batch_execute("ALTER TABLE people DROP CONSTRAINT people_check").await.unwrap();
    start(&owner, &files(FILL)).await.unwrap();
    assert_eq!(touched(&owner).await, "100 × 1");
}

#[tokio::test]
async fn a_locked_row_is_given_way_to_and_a_batch_that_takes_too_long_is_made_smaller() {
    let (database, owner) = owner_of(60).await;
    let other = database.client("admin_user").await;
    other.batch_execute("BEGIN; UPDATE people SET touched = 5 WHERE id = 900").await.unwrap();
    let all = files(FILL);
    let looking = database.client("admin_user").await;
    let (done, ()) = tokio::join!(start(&owner, &all), async {
        let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')";
        until(async || looking.query_one(waits, &[]).await.unwrap().get(0)).await;
        until(async || !looking.query_one(waits, &[]).await.unwrap().get::<_, bool>(0)).await;
        other.batch_execute("ROLLBACK").await.unwrap();
    });
    assert_eq!(done.unwrap(), Outcome::Done);
    assert_eq!(touched(&owner).await, "60 × 1");
    // All 50 would take more than the five seconds of a batch, half of them less.
    let slow = "-- table: people\n-- key: id\n-- batch: 50\nUPDATE people SET touched = touched + 1 WHERE id BETWEEN $1 AND $2 AND pg_sleep(0.15) IS NOT NULL";
    let slow = Files::embedded(&[("backfills/20250302_slow.sql", slow)]).unwrap();
    let (limits, walked) = (limits(), Cell::new(0));
    let run = backfill::run(&owner, &slow, "20250302_slow", false, &limits, |progress| {
        walked.set(progress.record.as_ref().unwrap().walked);
    });
    tokio::select! { done = run => panic!("{done:?}"), () = until(async || walked.get() > 0) => () }
    assert_eq!(walked.get(), 25);
}

async fn until(holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_pauses_ends_the_runner_and_only_resume_goes_on() {
    let (database, owner) = owner_of(8_000).await;
    let all = files(FILL);
    let other = database.client("admin_user").await;
    assert!(
        backfill::pause(&other, NAME).await.unwrap_err().to_string().ends_with("cannot be paused: it is not started")
    );
    let (outcome, ()) = tokio::join!(start(&owner, &all), async {
        until(async || {
            let all = backfill::progress(&other, &all).await.unwrap();
            all[0].record.as_ref().is_some_and(|record| record.walked > 0)
        })
        .await;
        backfill::pause(&other, NAME).await.unwrap();
    });
    assert_eq!(outcome.unwrap(), Outcome::Paused("admin_user".to_owned()));
    let paused = only(&other, &all).await;
    assert!(paused.to_string().ends_with("rows by admin_user)") && paused.state == BackfillState::Paused, "{paused}");
    assert!(matches!(start(&owner, &all).await, Err(BackfillError::Paused { .. })));
    assert_eq!(backfill::run(&owner, &all, NAME, true, &limits(), |_| {}).await.unwrap(), Outcome::Done);
    assert_eq!(touched(&owner).await, "8000 × 1");
}

#[tokio::test]
async fn a_file_that_needs_a_backfill_is_refused_until_it_is_done_and_an_empty_table_needs_none() {
    let contract =
        ("20250302_contract.sql", "-- needs-backfill: 20250301_fill\nALTER TABLE people ADD CHECK (touched > 0)");
    let people = ("20250301_people.sql", PEOPLE);
    let all = Files::embedded(&[people, contract, ("backfills/20250301_fill.sql", FILL)]).unwrap();
    let (_database, owner) = owner_of(100).await;
    owner.batch_execute("CREATE TABLE kept AS TABLE people; DROP TABLE people").await.unwrap();
    let first = all.only(|name| name == people.0);
    up(&owner, &first, &Options::default(), |_| {}).await.unwrap();
    owner.batch_execute("INSERT INTO people SELECT * FROM kept").await.unwrap();
    let refused = up(&owner, &all, &Options::default(), |_| {}).await.unwrap_err();
    assert!(matches!(&refused, UpError::BackfillFirst { backfill, .. } if backfill == NAME), "{refused}");
    let plan = migrate::plan::plan(&owner, &all).await.unwrap();
    assert_eq!(plan.files[0].backfills_first, [NAME]);
    start(&owner, &all).await.unwrap();
    assert_eq!(up(&owner, &all, &Options::default(), |_| {}).await.unwrap().len(), 1);

    let (_database, new) = owner_of(1).await;
    new.batch_execute("DROP TABLE people").await.unwrap();
    assert_eq!(up(&new, &all, &Options::default(), |_| {}).await.unwrap().len(), 2);
    assert_eq!(start(&new, &all).await.unwrap(), Outcome::Done);
    assert_eq!(only(&new, &all).await.to_string(), "✓ 20250301_fill (done, 0 rows)");
}

/// A metrics port that says what it is told: requests that took 10 ms, or a second.
struct Metrics {
    url: String,
    slow: Arc<AtomicBool>,
}

impl Metrics {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/metrics", listener.local_addr().unwrap());
        let slow = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&slow);
        thread::spawn(move || {
            let [fast, all] = [AtomicU64::new(0), AtomicU64::new(0)];
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 4096]);
                fast.fetch_add(if told.load(Relaxed) { 0 } else { 100 }, Relaxed);
                let (fast, all) = (fast.load(Relaxed), all.fetch_add(100, Relaxed) + 100);
                let bucket = "http_server_request_duration_seconds_bucket";
                let page = format!(
                    "{bucket}{{le=\"0.025\"}} {fast}\n{bucket}{{le=\"1.0\"}} {all}\n{bucket}{{le=\"+Inf\"}} {all}\n"
                );
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{page}",
                    page.len()
                );
            }
        });
        Self { url, slow }
    }
}

/// Runs the backfill until its end, or until it was seen fast, slow for the wanted reason, and fast again.
async fn falls_and_recovers(client: &Client, limits: &Limits, reason: &str, strain: impl Fn(bool)) {
    let (all, mut seen) = (files(FILL), Vec::new());
    let stage = Cell::new(0);
    let mut highest: f64 = 0.0;
    let run = backfill::run(client, &all, NAME, false, limits, |progress| {
        let record = progress.record.as_ref().unwrap();
        let (rate, slowed) = (record.rows_per_second, record.slowed_by.as_deref().unwrap_or_default());
        seen.push(format!("{rate:.0} {slowed}"));
        highest = highest.max(rate);
        match stage.get() {
            0 if rate > 0.0 => {
                strain(true);
                stage.set(1);
            }
            1 if slowed.contains(reason) && rate < highest / 4.0 => {
                strain(false);
                stage.set(2);
            }
            2 if slowed.is_empty() && rate > highest / 3.0 => stage.set(3),
            _ => (),
        }
    });
    tokio::select! {
        _ = run => (),
        () = async { while stage.get() < 3 { tokio::time::sleep(Duration::from_millis(20)).await } } => (),
        // Not a bound: a machine with much else to do looks only every few seconds.
        () = tokio::time::sleep(Duration::from_mins(3)) => (),
    }
    assert_eq!(stage.get(), 3, "{seen:#?}");
}

#[tokio::test]
async fn the_rate_falls_when_the_p95_passes_its_bound_and_recovers() {
    let (_database, owner) = owner_of(400_000).await;
    let metrics = Metrics::start();
    let limits = Limits { metrics: vec![metrics.url.clone()], ..limits() };
    falls_and_recovers(&owner, &limits, "p95 of requests is ", |slow| metrics.slow.store(slow, Relaxed)).await;
}

#[tokio::test]
async fn the_rate_falls_when_a_standby_falls_behind_and_recovers() {
    let programs = Programs::find().unwrap();
    let folder = |name: &str| std::env::temp_dir().join(format!("platform-backfill-{name}-{}", std::process::id()));
    let primary = Cluster::start(&programs, &folder("primary"), Purpose::Replication).unwrap();
    let root = migrate::connect(&primary.url("postgres", "postgres")).await.unwrap();
    roles::ensure(&root).await.unwrap();
    let standby = primary.standby(&programs, &folder("standby")).unwrap();
    let owner = migrate::connect(&primary.url("admin_user", "postgres")).await.unwrap();
    let fill = format!("{PEOPLE}; INSERT INTO people SELECT generate_series(1, 400000)");
    owner.batch_execute(&fill).await.unwrap();
    let sql = |sql: &str| {
        let ran = std::process::Command::new(programs.program("psql"))
            .args([&standby.url("postgres", "postgres"), "-qAtc", sql])
            .status();
        assert!(ran.unwrap().success());
    };
    // Replays what is two seconds old, and no longer follows at once.
    falls_and_recovers(&owner, &limits(), "standby walreceiver is ", |strain| {
        let delay = if strain { 2 } else { 0 };
        sql(&format!("ALTER SYSTEM SET recovery_min_apply_delay = '{delay}s'"));
        sql("SELECT pg_reload_conf()");
    })
    .await;
    root.batch_execute("REVOKE pg_read_all_stats FROM admin_user").await.unwrap();
    assert!(matches!(start(&owner, &files(FILL)).await, Err(BackfillError::UnseenLag)));
}
