//! `up` that ends anywhere: at each of its awaits, and on a disk that is full.

use super::{INDEXES, LATER, PEOPLE, files};
use migrate::{Client, Files, Options, roles, schema, status, up};
use private_postgres::{Cluster, Programs, Purpose};
use std::{
    env, fs,
    future::{Future, poll_fn},
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    pin::pin,
    process::Command,
    task::Poll,
};
use testing::Database;

/// Polls a future so often, and drops it where it then stands: what it sent is done by the server, and whoever sent it
/// never hears of it. Says whether it ended before.
async fn ends_within(polls: usize, future: impl Future) -> bool {
    let (mut future, mut left) = (pin!(future), polls);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        future.as_mut().poll(context).map(|_| true)
    })
    .await
}

#[tokio::test]
async fn a_run_that_ends_at_any_of_its_awaits_goes_on_to_the_same_schema() {
    let all = files(&[PEOPLE, INDEXES, LATER]);
    let (_whole, owner) = Database::without_tables().await;
    up(&owner, &all, &Options::default(), |_| {}).await.unwrap();
    let expected = schema::statements(&owner).await.unwrap();
    let mut points = 0;
    loop {
        let (database, killed) = Database::without_tables().await;
        let options = Options { watcher: Some(database.client("admin_user").await), ..Options::default() };
        let has_ended = ends_within(points + 1, up(&killed, &all, &options, |_| {})).await;
        // Its session ends with it, whatever the server is doing for it.
        drop((killed, options));
        if has_ended {
            break;
        }
        points += 1;
        let owner = database.client("admin_user").await;
        up(&owner, &all, &Options::default(), |_| {}).await.unwrap();
        assert_eq!(schema::statements(&owner).await.unwrap(), expected, "ended after {points} polls");
        assert!(status(&owner, &all).await.unwrap().iter().all(|entry| entry.record.is_some()));
        let rows = owner.query_one("SELECT count(*) FROM people", &[]).await.unwrap();
        assert_eq!(rows.get::<_, i64>(0), 100, "ended after {points} polls");
        let broken = "SELECT FROM pg_index WHERE NOT indisvalid UNION ALL SELECT FROM _migration_steps";
        assert!(owner.query(broken, &[]).await.unwrap().is_empty(), "ended after {points} polls");
    }
    println!("ended at {points} awaits, resumed to an equal schema each time");
    assert!(points > 60, "{points}");
}

const MOUNTS: &str = "MIGRATE_TEST_MOUNTS";

/// Whether this process may mount what nobody else sees. If not yet, the test is run again by one that may; where none
/// may, that is said, or fails.
fn may_mount(test: &str) -> bool {
    if env::var_os(MOUNTS).is_some() {
        return true;
    }
    let probe = Command::new("unshare").args(["--mount", "true"]).output();
    match probe {
        Ok(output) if output.status.success() => {
            let mut again = Command::new("unshare");
            again.arg("--mount").arg(env::current_exe().unwrap()).args([
                "--exact",
                &format!("faults::{test}"),
                "--nocapture",
            ]);
            let output = again.env(MOUNTS, "1").output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            println!("{said}");
            assert!(
                output.status.success() && said.contains("1 passed"),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            testing::not_checked("postgres", &format!("a full disk, which needs a right to mount: {why}"));
        }
        Err(error) => testing::not_checked("postgres", &format!("a full disk, which needs `unshare`: {error}")),
    }
    false
}

/// A disk of some megabytes.
struct Small(PathBuf);

impl Small {
    fn mount(place: PathBuf, megabytes: u32) -> Self {
        fs::create_dir_all(&place).unwrap();
        let small = Self(place);
        small.run(&["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "none"]);
        small
    }

    /// Somebody makes room.
    fn grow(&self, megabytes: u32) {
        self.run(&["-o", &format!("remount,size={megabytes}m")]);
    }

    fn run(&self, arguments: &[&str]) {
        assert!(Command::new("mount").args(arguments).arg(&self.0).status().unwrap().success());
    }

    /// A folder in it, for whoever owns another one.
    fn folder(&self, name: &str, like: &Path) -> PathBuf {
        let (folder, owner) = (self.0.join(name), fs::metadata(like).unwrap());
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        chown(&folder, Some(owner.uid()), Some(owner.gid())).unwrap();
        folder
    }
}

impl Drop for Small {
    /// Also while a server still has files open there.
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn place(name: &str) -> PathBuf {
    env::temp_dir().join(format!("platform-migrate-{name}-{}", std::process::id()))
}

async fn session(cluster: &Cluster, login: &str, database: &str) -> Client {
    migrate::connect(&cluster.url(login, database)).await.unwrap()
}

/// Some megabytes in a table, that no compression makes fewer.
fn fill(table: &str, megabytes: u32) -> String {
    let text = "array_to_string(ARRAY(SELECT md5((n * 31 + i)::text) FROM generate_series(1, 31) i), '')";
    format!("CREATE TABLE {table} AS SELECT n, {text} AS text FROM generate_series(1, {}) n", megabytes * 1000)
}

async fn refused(owner: &Client, files: &Files) -> String {
    up(owner, files, &Options::default(), |_| {}).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_disk_that_is_full_in_the_middle_is_told_and_no_file_is_half_applied() {
    if !may_mount("a_disk_that_is_full_in_the_middle_is_told_and_no_file_is_half_applied") {
        return;
    }
    let place = place("tablespace");
    let cluster = Cluster::start(&Programs::find().unwrap(), &place.join("server"), Purpose::Test).unwrap();
    let small = Small::mount(place.join("small"), 40);
    let tight = small.folder("tight", &place.join("server"));
    let superuser = session(&cluster, "postgres", "postgres").await;
    superuser.batch_execute(&format!("CREATE TABLESPACE tight LOCATION '{}'", tight.display())).await.unwrap();
    for (database, tablespace) in [("small", "tight"), ("large", "pg_default")] {
        superuser.batch_execute(&format!("CREATE DATABASE {database} TABLESPACE {tablespace}")).await.unwrap();
        roles::ensure(&session(&cluster, "postgres", database).await).await.unwrap();
    }
    let (first, second) = (fill("first", 8), format!("SELECT 1;\n{};", fill("second", 40)));
    // Built, and then too large; what came before it in the file is done.
    let third = "-- no-transaction\nALTER TABLE second ADD COLUMN age int;
        CREATE INDEX CONCURRENTLY by_text ON second (text, n);\nALTER TABLE second ADD COLUMN mail text;";
    let all = files(&[("20250101_first.sql", &first), ("20250102_second.sql", &second), ("20250103_third.sql", third)]);
    let owner = session(&cluster, "admin_user", "small").await;

    let said = refused(&owner, &all).await;
    assert!(said.starts_with("20250102_second.sql:2:1: ") && said.contains("No space left on device"), "{said}");
    assert!(said.ends_with("nothing of this file was applied: make room, and start `up` again"), "{said}");
    let lines = async || status(&owner, &all).await.unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
    let expected =
        ["✓ 20250101_first.sql (applied)", "✗ 20250102_second.sql (pending)", "✗ 20250103_third.sql (pending)"];
    assert_eq!(lines().await, expected);
    let half = "SELECT to_regclass('second') IS NOT NULL";
    assert!(!owner.query_one(half, &[]).await.unwrap().get::<_, bool>(0));

    small.grow(80);
    let said = refused(&owner, &all).await;
    assert!(said.starts_with("20250103_third.sql:3:9: ") && said.contains("No space left on device"), "{said}");
    assert!(
        said.contains("1 of its statements is done, and") && said.ends_with("make room, and start `up` again"),
        "{said}"
    );

    small.grow(400);
    assert_eq!(up(&owner, &all, &Options::default(), |_| {}).await.unwrap().len(), 1);
    let large = session(&cluster, "admin_user", "large").await;
    up(&large, &all, &Options::default(), |_| {}).await.unwrap();
    assert_eq!(schema::statements(&owner).await.unwrap(), schema::statements(&large).await.unwrap());
    assert!(owner.query("SELECT FROM pg_index WHERE NOT indisvalid", &[]).await.unwrap().is_empty());
    drop((small, owner, large, superuser, cluster));
    fs::remove_dir_all(place).unwrap();
    println!("full in a transaction and in an index build: told, nothing half applied, gone on with");
}

#[test]
fn what_cannot_be_mounted_is_a_failure_where_it_is_required_and_a_line_elsewhere() {
    let test = "faults::a_disk_that_is_full_in_the_middle_is_told_and_no_file_is_half_applied";
    let list = place("not-checked");
    let run = |required: &str| {
        let mut again = Command::new(env::current_exe().unwrap());
        again.args(["--exact", test]).env_remove(MOUNTS).env("PATH", "/none");
        again.env("XTASK_REQUIRE", required).env(testing::NOT_CHECKED, &list).output().unwrap()
    };
    for required in ["all", "fmt,test", "postgres"] {
        let output = run(required);
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(", and XTASK_REQUIRE asks for it"), "{said}");
    }
    assert!(!list.exists());
    assert!(run("").status.success() && run("api").status.success());
    let told = fs::read_to_string(&list).unwrap();
    fs::remove_file(list).unwrap();
    assert!(told.lines().count() == 2 && told.starts_with("a full disk, which needs `unshare`: "), "{told}");
}

#[tokio::test]
async fn a_disk_without_room_for_the_log_ends_the_server_and_the_next_run_goes_on() {
    if !may_mount("a_disk_without_room_for_the_log_ends_the_server_and_the_next_run_goes_on") {
        return;
    }
    let (place, programs) = (place("wal"), Programs::find().unwrap());
    let start = || Cluster::start(&programs, &place.join("server"), Purpose::Development);
    drop(start().unwrap());
    // The log alone, which PostgreSQL cannot do without.
    let (wal, small) = (place.join("server/data/pg_wal"), Small::mount(place.join("small"), 70));
    let moved = small.folder("wal", &place.join("server"));
    let copied = Command::new("cp").arg("-a").arg(wal.join(".")).arg(&moved).status().unwrap();
    assert!(copied.success());
    fs::remove_dir_all(&wal).unwrap();
    symlink(&moved, &wal).unwrap();
    let cluster = start().unwrap();
    roles::ensure(&session(&cluster, "postgres", "postgres").await).await.unwrap();
    let first = "CREATE TABLE first (id int); INSERT INTO first SELECT generate_series(1, 1000)";
    let second = format!("{}; CREATE TABLE third (id int)", fill("second", 90));
    let all = files(&[("20250101_first.sql", first), ("20250102_second.sql", &second)]);
    let owner = session(&cluster, "admin_user", "postgres").await;
    let said = refused(&owner, &all).await;
    // Whichever of the server's processes meets it first ends them all: `up` hears of the disk, or loses its connection.
    let log = fs::read_to_string(place.join("server/log")).unwrap();
    assert!(log.contains("PANIC") && log.contains("No space left on device"), "{said}\n{log}");
    drop((owner, cluster));

    small.grow(1000);
    let cluster = start().unwrap();
    let owner = session(&cluster, "admin_user", "postgres").await;
    let half =
        "SELECT to_regclass('first') IS NOT NULL AND to_regclass('second') IS NULL AND to_regclass('third') IS NULL";
    assert!(owner.query_one(half, &[]).await.unwrap().get::<_, bool>(0));
    assert_eq!(up(&owner, &all, &Options::default(), |_| {}).await.unwrap().len(), 1);
    assert_eq!(owner.query_one("SELECT count(*) FROM second", &[]).await.unwrap().get::<_, i64>(0), 90_000);
    drop((small, owner, cluster));
    fs::remove_dir_all(place).unwrap();
    println!("the server ended for want of room for its log: told, nothing half applied, gone on with");
}
