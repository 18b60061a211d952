//! `up` on a primary whose standby does not keep up.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use migrate::{Event, Files, Options, UpError, roles, up};
use private_postgres::{Cluster, Programs, Purpose};
use std::{process::Command, time::Duration};

#[tokio::test]
async fn a_table_is_not_written_anew_while_a_standby_is_behind_and_small_or_other_changes_do_not_wait() {
    let programs = Programs::find().unwrap();
    let folder = |name: &str| std::env::temp_dir().join(format!("platform-lag-{name}-{}", std::process::id()));
    let primary = Cluster::start(&programs, &folder("primary"), Purpose::Replication).unwrap();
    let root = migrate::connect(&primary.url("postgres", "postgres")).await.unwrap();
    roles::ensure(&root).await.unwrap();
    let standby = primary.standby(&programs, &folder("standby")).unwrap();
    let on_standby = |sql: &str| {
        let mut psql = Command::new(programs.program("psql"));
        assert!(psql.args([&standby.url("postgres", "postgres"), "-qAtc", sql]).status().unwrap().success());
    };
    let owner = migrate::connect(&primary.url("admin_user", "postgres")).await.unwrap();
    let large = "CREATE TABLE large AS SELECT n AS id, repeat('x', 100) AS text FROM generate_series(1, 100000) n; CREATE TABLE small (id int)";
    owner.batch_execute(large).await.unwrap();
    // One that stands still reports no time, and is known by what it lacks.
    on_standby("SELECT pg_wal_replay_pause()");
    root.batch_execute("SELECT pg_logical_emit_message(false, '', repeat('x', 70000000))").await.unwrap();

    let small = ("20250301_small.sql", "ALTER TABLE small ALTER id TYPE bigint; ALTER TABLE large ADD note text");
    let rewrite = ("20250302_large.sql", "ALTER TABLE large ALTER id TYPE bigint");
    let all = Files::embedded(&[small, rewrite]).unwrap();
    root.batch_execute("REVOKE pg_read_all_stats FROM admin_user").await.unwrap();
    let unseen = up(&owner, &all, &Options::default(), |_| {}).await.unwrap_err();
    assert!(matches!(&unseen, UpError::UnseenLag(file) if file == rewrite.0), "{unseen}");
    roles::ensure(&root).await.unwrap();
    let mut said = Vec::new();
    let options = Options::default();
    let applied = up(&owner, &all, &options, |event| match event {
        Event::Behind { file, behind } => {
            said.push(format!("{file}: {behind}"));
            on_standby("SELECT pg_wal_replay_resume()");
        }
        Event::Applied(applied) => said.push(applied.name.clone()),
        _ => (),
    });
    let applied = tokio::time::timeout(Duration::from_secs(40), applied).await.unwrap().unwrap();
    assert_eq!(applied.len(), 1, "the small one was applied before");
    let [waited, done] = &*said else { panic!("{said:?}") };
    assert!(
        waited.starts_with("20250302_large.sql: standby walreceiver is ") && waited.ends_with(" kB behind"),
        "{waited}"
    );
    assert_eq!(done, rewrite.0);
}
