//! Migrations on a real database: order, refusals, what a failure and a second migrator leave.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use migrate::{Files, Options, State, UpError, login_problem, roles, status, up};
use private_postgres::{Cluster, Programs, Purpose};
use std::time::Duration;
use testing::Database;

const USERS: (&str, &str) = ("20250101_users.sql", "CREATE TABLE people (id int)");
const MFA: (&str, &str) = ("20250110_mfa.sql", "ALTER TABLE people ADD mfa boolean");

/// A server of its own, for what would disturb the other tests.
fn cluster(name: &str) -> Cluster {
    let folder = std::env::temp_dir().join(format!("platform-migrate-{name}-{}", std::process::id()));
    Cluster::start(&Programs::find().unwrap(), &folder, Purpose::Test).unwrap()
}

fn files(files: &[(&str, &str)]) -> Files {
    Files::embedded(files).unwrap()
}

async fn printed(client: &migrate::Client, files: &Files) -> Vec<String> {
    status(client, files).await.unwrap().iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn status_prints_the_runbooks_lines_and_writes_nothing() {
    let (database, owner) = Database::without_tables().await;
    assert_eq!(printed(&owner, &files(&[USERS])).await, ["✗ 20250101_users.sql (pending)"]);
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(owner.query_one(tables, &[]).await.unwrap().get::<_, i64>(0), 0);
    up(&owner, &files(&[USERS]), &Options::default(), |_| {}).await.unwrap();
    let reader = database.client("readonly_user").await;
    let both = files(&[USERS, MFA]);
    assert_eq!(printed(&reader, &both).await, ["✓ 20250101_users.sql (applied)", "✗ 20250110_mfa.sql (pending)"]);
}

#[tokio::test]
async fn an_applied_file_that_changed_or_vanished_stops_everything() {
    let (_database, owner) = Database::without_tables().await;
    up(&owner, &files(&[USERS]), &Options::default(), |_| {}).await.unwrap();
    let changed = files(&[(USERS.0, "CREATE TABLE people (id bigint)"), MFA]);
    assert_eq!(status(&owner, &changed).await.unwrap()[0].state, State::Changed);
    assert!(matches!(up(&owner, &changed, &Options::default(), |_| {}).await, Err(UpError::Drift(_))));
    assert!(matches!(up(&owner, &files(&[MFA]), &Options::default(), |_| {}).await, Err(UpError::Drift(_))));
}

#[tokio::test]
async fn a_pending_file_before_an_applied_one_is_refused() {
    let (_database, owner) = Database::without_tables().await;
    up(&owner, &files(&[USERS]), &Options::default(), |_| {}).await.unwrap();
    let early = files(&[("20240101_early.sql", "SELECT 1"), USERS]);
    assert!(matches!(up(&owner, &early, &Options::default(), |_| {}).await, Err(UpError::OutOfOrder { .. })));
}

#[tokio::test]
async fn a_failing_file_leaves_what_came_before_and_nothing_of_itself() {
    let (_database, owner) = Database::without_tables().await;
    let broken = files(&[USERS, ("20250110_bad.sql", "CREATE TABLE half (id int);\nALTER TABLE nowhere ADD x int;")]);
    let error = up(&owner, &broken, &Options::default(), |_| {}).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "20250110_bad.sql:2:1: relation \"nowhere\" does not exist
    ALTER TABLE nowhere ADD x int;
    ^
nothing of this file was applied"
    );
    assert_eq!(printed(&owner, &broken).await, ["✓ 20250101_users.sql (applied)", "✗ 20250110_bad.sql (pending)"]);
    assert!(owner.query("SELECT FROM half", &[]).await.is_err());
    up(&owner, &files(&[USERS, MFA]), &Options::default(), |_| {}).await.unwrap();
}

#[tokio::test]
async fn a_failing_statement_is_named_even_when_the_server_points_at_nothing() {
    let (_database, owner) = Database::without_tables().await;
    let broken = "CREATE TABLE half (id int CHECK (id > 0));;\n-- two\n  INSERT INTO half VALUES (1), (-1);\nSELECT 1";
    let error =
        up(&owner, &files(&[("20250110_bad.sql", broken)]), &Options::default(), |_| {}).await.unwrap_err().to_string();
    assert!(error.starts_with("20250110_bad.sql:3:3: new row for relation \"half\" violates"), "{error}");
    assert!(error.contains("\n      INSERT INTO half VALUES (1), (-1);\n      ^\n"), "{error}");
    let error = up(&owner, &files(&[("20250110_bad.sql", "SELECT 1;\nSELECT é oops")]), &Options::default(), |_| {})
        .await
        .unwrap_err();
    assert!(error.to_string().starts_with("20250110_bad.sql:2:8: column \"é\" does not exist"), "{error}");
}

#[tokio::test]
async fn what_a_file_sets_ends_with_it_and_what_fails_at_its_commit_names_it() {
    let (_database, owner) = Database::without_tables().await;
    let dump =
        "SELECT pg_catalog.set_config('search_path', '', false); SET statement_timeout = '1ms'; SET ROLE admin_user";
    let late = "CREATE TABLE late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO late VALUES (1), (1)";
    let all = files(&[("20250101_dump.sql", dump), USERS, ("20250110_late.sql", late)]);
    let error = up(&owner, &all, &Options::default(), |_| {}).await.unwrap_err().to_string();
    assert!(error.starts_with("20250110_late.sql: duplicate key value"), "{error}");
    assert_eq!(status(&owner, &all).await.unwrap()[1].state, State::Applied);
}

#[tokio::test]
async fn a_file_that_would_leave_its_transaction_is_refused_before_anything_runs() {
    let (_database, owner) = Database::without_tables().await;
    let leaves = files(&[USERS, ("20250110_leaves.sql", "CREATE TABLE half (id int);\nCOMMIT;\nSELECT nonsense")]);
    let error = up(&owner, &leaves, &Options::default(), |_| {}).await.unwrap_err();
    assert!(matches!(&error, UpError::TransactionControl { place, .. } if place.line == 2), "{error}");
    assert_eq!(printed(&owner, &leaves).await, ["✗ 20250101_users.sql (pending)", "✗ 20250110_leaves.sql (pending)"]);
    let body = "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$; DO $$ BEGIN PERFORM 1; END $$";
    up(&owner, &files(&[("20250110_body.sql", body)]), &Options::default(), |_| {}).await.unwrap();
}

#[tokio::test]
async fn every_missing_role_is_named_and_nothing_else_is_taken_for_one() {
    let cluster = cluster("roles-missing");
    let superuser = migrate::connect(&cluster.url("postgres", "postgres")).await.unwrap();
    superuser.batch_execute("CREATE ROLE admin_user LOGIN; CREATE ROLE readonly_user").await.unwrap();
    let owner = migrate::connect(&cluster.url("admin_user", "postgres")).await.unwrap();
    let missing = up(&owner, &files(&[USERS]), &Options::default(), |_| {}).await.unwrap_err();
    let expected = "api_platform_app, eap_tenant, eap_person, eap_system";
    assert!(matches!(&missing, UpError::NoRole(names) if names == expected), "{missing}");
    let ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'admin_user'";
    superuser.batch_execute(ended).await.unwrap();
    assert!(matches!(up(&owner, &files(&[USERS]), &Options::default(), |_| {}).await, Err(UpError::Database(_))));
}

#[tokio::test]
async fn up_after_one_that_was_killed_in_the_middle_of_a_file_succeeds() {
    let (database, owner) = Database::without_tables().await;
    let endless = files(&[USERS, ("20250110_long.sql", "CREATE TABLE half (id int); SELECT pg_sleep(600)")]);
    let url = database.owner_url();
    let killed = tokio::runtime::Runtime::new().unwrap();
    killed
        .spawn(async move { up(&migrate::connect(&url).await.unwrap(), &endless, &Options::default(), |_| {}).await });
    let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    while owner.query_one(sleeps, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::task::yield_now().await;
    }
    // As when the process dies: its socket closes and nothing more is said.
    killed.shutdown_background();
    let mended = files(&[USERS, ("20250110_long.sql", "CREATE TABLE half (id int)")]);
    let again = tokio::time::timeout(Duration::from_secs(30), up(&owner, &mended, &Options::default(), |_| {})).await;
    assert_eq!(again.expect("soon").unwrap().len(), 1);
}

#[tokio::test]
async fn no_files_empty_files_and_five_megabytes_are_fine() {
    let (_database, owner) = Database::without_tables().await;
    assert!(up(&owner, &files(&[]), &Options::default(), |_| {}).await.unwrap().is_empty());
    assert!(printed(&owner, &files(&[])).await.is_empty());
    let big = format!("CREATE TABLE big AS SELECT * FROM (VALUES (''){}) v", format!(", ('{:100}')", 1).repeat(50_000));
    assert!(big.len() > 5_000_000);
    let all = files(&[USERS, ("20250110_empty.sql", "-- Nothing yet.\n;"), ("20250111_big.sql", &big)]);
    assert_eq!(up(&owner, &all, &Options::default(), |_| {}).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_named_with_what_to_do() {
    let (database, _owner) = Database::without_tables().await;
    let missing = migrate::connect(&database.owner_url().replace("/test_", "/gone_")).await.unwrap_err().to_string();
    assert!(missing.contains("\" does not exist: make it") && missing.contains("CREATE DATABASE"), "{missing}");
}

#[tokio::test]
async fn an_open_reader_of_the_table_stops_nobody() {
    let (database, owner) = Database::without_tables().await;
    up(&owner, &files(&[USERS]), &Options::default(), |_| {}).await.unwrap();
    let reader = database.client("readonly_user").await;
    reader.batch_execute("BEGIN; SELECT FROM _migrations").await.unwrap();
    owner.batch_execute("SET lock_timeout = '1s'").await.unwrap();
    assert!(up(&owner, &files(&[USERS]), &Options::default(), |_| {}).await.unwrap().is_empty());
    assert_eq!(up(&owner, &files(&[USERS, MFA]), &Options::default(), |_| {}).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_table_from_before_runs_were_recorded_is_read_and_then_completed() {
    let (_database, owner) = Database::without_tables().await;
    up(&owner, &files(&[USERS]), &Options::default(), |_| {}).await.unwrap();
    owner.batch_execute("ALTER TABLE _migrations DROP COLUMN run_id").await.unwrap();
    let both = files(&[USERS, MFA]);
    let run =
        async || status(&owner, &both).await.unwrap().into_iter().map(|entry| Some(entry.record?.run_id.is_some()));
    assert_eq!(run().await.collect::<Vec<_>>(), [Some(false), None]);
    up(&owner, &both, &Options::default(), |_| {}).await.unwrap();
    assert_eq!(run().await.collect::<Vec<_>>(), [Some(false), Some(true)]);
}

#[tokio::test]
async fn status_in_json_tells_who_applied_what_when_and_in_which_run() {
    let (_database, owner) = Database::without_tables().await;
    let all = files(&[USERS, MFA, ("20250111_later.sql", "SELECT 1")]);
    up(&owner, &files(&[USERS, MFA]), &Options::default(), |_| {}).await.unwrap();
    let entries = serde_json::to_value(status(&owner, &all).await.unwrap()).unwrap();
    let users = &entries[0];
    assert_eq!((&users["state"], &users["applied_by"]), (&"applied".into(), &"admin_user".into()));
    assert_eq!(users["checksum"], all.in_order()[0].checksum());
    assert!(users["duration_ms"].is_u64() && users["applied_at"].as_str().unwrap().ends_with('Z'), "{users}");
    assert!(users["run_id"].is_string() && users["run_id"] == entries[1]["run_id"], "{entries}");
    assert_eq!(users["file_checksum"], users["checksum"]);
    let later = serde_json::json!({
        "name": "20250111_later.sql", "state": "pending", "file_checksum": all.in_order()[2].checksum(),
    });
    assert_eq!(entries[2], later);
}

#[tokio::test]
async fn several_migrators_at_once_apply_each_file_once() {
    let (database, owner) = Database::without_tables().await;
    let both = files(&[USERS, MFA]);
    let runs = [database.client("admin_user").await, database.client("admin_user").await, owner];
    let [a, b, c] = &runs;
    let options = Options::default();
    let (a, b, c) =
        tokio::join!(up(a, &both, &options, |_| {}), up(b, &both, &options, |_| {}), up(c, &both, &options, |_| {}));
    assert_eq!([a, b, c].map(|applied| applied.unwrap().len()).iter().sum::<usize>(), 2);
}

#[tokio::test]
async fn a_file_waits_for_a_busy_table_and_then_goes_on() {
    let (database, owner) = Database::without_tables().await;
    up(&owner, &files(&[USERS]), &Options::default(), |_| {}).await.unwrap();
    let busy = database.client("admin_user").await;
    busy.batch_execute("BEGIN; LOCK TABLE people IN ACCESS SHARE MODE").await.unwrap();
    let both = files(&[USERS, MFA]);
    let release = async {
        let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted";
        while busy.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
        // Past the lock timeout: the first attempt has failed.
        busy.batch_execute("SELECT pg_sleep(0.7); COMMIT").await.unwrap();
    };
    let options = Options::default();
    let (applied, ()) = tokio::join!(up(&owner, &both, &options, |_| {}), release);
    assert_eq!(applied.unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_that_running_images_could_not_stand_is_refused() {
    let (_database, owner) = Database::without_tables().await;
    let instances =
        ("20250101_instances.sql", "CREATE TABLE instances (service text, version text, seen_at timestamptz)");
    up(&owner, &files(&[instances]), &Options::default(), |_| {}).await.unwrap();
    owner.batch_execute("INSERT INTO instances VALUES ('auth', '1.1.0', now())").await.unwrap();
    let contract = files(&[instances, ("20250102_drop.sql", "-- oldest-app: 1.2.0\nSELECT 1")]);
    let refused = up(&owner, &contract, &Options::default(), |_| {}).await.unwrap_err();
    assert!(matches!(&refused, UpError::TooOld { version, .. } if version == "1.1.0"), "{refused}");
    owner.batch_execute("UPDATE instances SET version = 'unknown'").await.unwrap();
    let refused = up(&owner, &contract, &Options::default(), |_| {}).await.unwrap_err().to_string();
    assert!(refused.contains("auth unknown was seen"), "{refused}");
    owner.batch_execute("UPDATE instances SET seen_at = now() - interval '3 minutes'").await.unwrap();
    assert_eq!(up(&owner, &contract, &Options::default(), |_| {}).await.unwrap().len(), 1);
}

#[tokio::test]
async fn making_the_roles_again_changes_nothing() {
    let (database, _owner) = Database::without_tables().await;
    roles::ensure(&database.client("postgres").await).await.unwrap();
}

#[tokio::test]
async fn roles_that_were_there_lose_what_gets_around_row_level_security() {
    let cluster = cluster("roles-mighty");
    let superuser = migrate::connect(&cluster.url("postgres", "postgres")).await.unwrap();
    let mighty = "CREATE ROLE eap_tenant SUPERUSER LOGIN; CREATE ROLE eap_system BYPASSRLS;
        CREATE ROLE api_platform_app CREATEROLE REPLICATION; CREATE ROLE dba LOGIN CREATEROLE;
        GRANT CREATE ON DATABASE postgres TO dba WITH GRANT OPTION";
    superuser.batch_execute(mighty).await.unwrap();
    let dba = migrate::connect(&cluster.url("dba", "postgres")).await.unwrap();
    let refused = roles::ensure(&dba).await.unwrap_err();
    let refused = refused.as_db_error().unwrap().message();
    assert!(refused.starts_with("role ") && refused.contains("as a superuser, run ALTER ROLE "), "{refused}");
    roles::ensure(&superuser).await.unwrap();
    let attributes = "SELECT rolname::text, rolsuper OR rolbypassrls OR rolreplication OR rolcreaterole OR rolcreatedb,
        rolcanlogin, rolinherit FROM pg_roles WHERE rolname ~ '^(eap_|api_)' ORDER BY rolname";
    let rows = superuser.query(attributes, &[]).await.unwrap();
    let rows: Vec<_> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect();
    let expected = [("api_platform_app", false, true, false), ("eap_person", false, false, true)];
    assert_eq!(rows[..2], expected);
    assert_eq!(rows[2..], [("eap_system", false, false, true), ("eap_tenant", false, false, true)]);
}

#[tokio::test]
async fn only_the_services_login_may_serve() {
    let database = Database::new().await;
    let problem = async |user: &str| {
        let problem = login_problem(&database.client(user).await).await.unwrap();
        problem.map(|problem| problem.to_string())
    };
    assert_eq!(problem("api_platform_app").await, None);
    assert!(problem("postgres").await.unwrap().contains("superuser"));
    assert!(problem("admin_user").await.unwrap().contains("owns the tables"));
    assert!(problem("readonly_user").await.unwrap().contains("not a member"));
}
