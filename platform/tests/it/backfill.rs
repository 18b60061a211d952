//! `platform migrate backfill`, as an operator runs it and as a power cut ends it.

use crate::process::{Process, folder, platform, until, until_within};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use testing::{Client, Database};

const NAME: &str = "20250301_touch";
const TOUCH: &str = "-- Each row counts how often it was touched.\n-- table: things\n-- key: id\n-- batch: 5000\n\
    UPDATE things SET touched = touched + 1 WHERE id BETWEEN $1 AND $2;\n";

/// A table with so many rows, and a folder with the backfill.
async fn things(rows: u32) -> (Database, Client, TempDir) {
    let database = Database::new().await;
    let owner = database.client("admin_user").await;
    let made = format!(
        "CREATE TABLE things (id bigint PRIMARY KEY, touched int NOT NULL DEFAULT 0);
         INSERT INTO things SELECT 3 * n FROM generate_series(1, {rows}) n"
    );
    owner.batch_execute(&made).await.unwrap();
    let folder = folder();
    fs::create_dir(folder.path().join("backfills")).unwrap();
    fs::write(folder.path().join(format!("backfills/{NAME}.sql")), TOUCH).unwrap();
    (database, owner, folder)
}

fn command(url: &str, arguments: &[&str]) -> Command {
    let mut command = platform();
    command.args(["migrate", "backfill"]).args(arguments).env("DATABASE_URL", url);
    command
}

fn start(database: &Database, folder: &Path) -> Command {
    let mut command = command(&database.owner_url(), &["start", NAME, "--dir"]);
    command.arg(folder);
    command
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + &String::from_utf8_lossy(&output.stderr)
}

/// As `readonly_user` sees it.
fn status(database: &Database) -> Value {
    let output = command(&database.url("readonly_user"), &["status", "--json"]).output().unwrap();
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    all[0].clone()
}

async fn walked(owner: &Client) -> i64 {
    let walked = owner.query_one("SELECT walked FROM _migration_backfills", &[]).await;
    walked.map_or(0, |row| row.get(0))
}

#[tokio::test]
async fn a_million_rows_are_touched_once_each_though_the_runner_is_killed_twice() {
    let (database, owner, folder) = things(1_000_000).await;
    for least in [1, 300_000] {
        let mut runner = start(&database, folder.path());
        let runner = Process(runner.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        until_within(Duration::from_mins(3), async || walked(&owner).await >= least).await;
        runner.kill();
    }
    let gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE '% backfill %' AND datname = current_database())";
    until(async || owner.query_one(gone, &[]).await.unwrap().get(0)).await;
    let stopped = status(&database);
    assert_eq!(stopped["state"], "stopped");
    assert!((300_000..1_000_000).contains(&stopped["walked"].as_i64().unwrap()), "{stopped}");
    // What the progress says is what the rows say, to the row.
    let count = async |touched: i32| {
        let counted = "SELECT count(*) FROM things WHERE touched = $1";
        owner.query_one(counted, &[&touched]).await.unwrap().get::<_, i64>(0)
    };
    assert_eq!(count(1).await, stopped["walked"].as_i64().unwrap());
    let done = start(&database, folder.path()).output().unwrap();
    assert!(text(&done).ends_with("✓ 20250301_touch is done\n"), "{}", text(&done));
    assert_eq!((count(1).await, count(0).await), (1_000_000, 0));
    let done = status(&database);
    assert_eq!(
        (&done["walked"], &done["changed"], &done["state"]),
        (&1_000_000.into(), &1_000_000.into(), &"done".into())
    );
}

#[tokio::test]
async fn a_second_runner_is_refused_and_told_of_the_first_which_a_pause_ends() {
    let (database, owner, folder) = things(300_000).await;
    let mut first = start(&database, folder.path());
    let mut first = Process(first.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    until(async || walked(&owner).await > 0).await;
    // It gives way to whoever has a row, and so does not end before the second one came.
    let locked = database.client("admin_user").await;
    locked.batch_execute("BEGIN; UPDATE things SET touched = touched WHERE id = 900000").await.unwrap();
    let refused = start(&database, folder.path()).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = text(&refused);
    assert!(
        said.contains("a backfill runs already") && said.contains("platform migrate backfill 20250301_touch"),
        "{said}"
    );
    let paused = command(&database.owner_url(), &["pause", NAME]).output().unwrap();
    assert!(text(&paused).contains("is paused"), "{}", text(&paused));
    locked.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(first.ends_within(Duration::from_secs(30)).code(), Some(2));
    let shown = text(&command(&database.url("readonly_user"), &["status"]).output().unwrap());
    assert!(shown.starts_with("! 20250301_touch (paused, ") && shown.ends_with(" by admin_user)\n"), "{shown}");
    let mut resume = command(&database.owner_url(), &["resume", NAME, "--dir"]);
    assert!(resume.arg(folder.path()).status().unwrap().success());
    assert_eq!(status(&database)["state"], "done");
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named_with_what_is_wrong() {
    let (database, owner, folder) = things(10).await;
    let file = folder.path().join(format!("backfills/{NAME}.sql"));
    fs::write(&file, TOUCH.replace("BETWEEN $1 AND $2", "> 0")).unwrap();
    let refused = text(&start(&database, folder.path()).output().unwrap());
    assert!(refused.contains("backfills/20250301_touch.sql: its statement must keep to the range"), "{refused}");
    assert_eq!(walked(&owner).await, 0);
    let none = text(&command(&database.owner_url(), &["status"]).output().unwrap());
    assert_eq!(none, "there are no backfills\n");
}
