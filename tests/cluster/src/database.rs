//! A PostgreSQL on this machine, outside the cluster as a managed one would be, with passwords, behind a [`Gate`].

use crate::{Gate, NODE, given};
use private_postgres::{Cluster, Programs, Purpose};
use std::{
    fs::{self, Permissions},
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// The password of every login.
const PASSWORD: &str = "of-the-cluster-tests";

/// Migrated by the image's own binary; gone when dropped.
pub struct Database {
    /// Shut it and the database is away.
    pub gate: Gate,
    cluster: Cluster,
    programs: Programs,
    folder: TempDir,
}

impl Database {
    /// A new one, with the roles and the schema of the version under test.
    pub fn new() -> Self {
        let programs = Programs::find().unwrap();
        let folder = tempfile::Builder::new().prefix("cluster-postgres").tempdir().unwrap();
        // PostgreSQL, which is not root, has to get there.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let cluster = Cluster::start(&programs, &folder.path().join("pg"), Purpose::Test).unwrap();
        let database = Self { gate: Gate::to(cluster.port()), cluster, programs, folder };
        database.platform(&database.cluster.url("postgres", "postgres"), &["migrate", "roles"]);
        database.sql("postgres", "CREATE DATABASE api_platform OWNER admin_user");
        for role in ["admin_user", "api_platform_app", "readonly_user"] {
            database.sql("postgres", &format!("ALTER ROLE {role} LOGIN PASSWORD '{PASSWORD}'"));
        }
        let rules = database.folder.path().join("pg/data/pg_hba.conf");
        let trusting = fs::read_to_string(&rules).unwrap();
        fs::write(rules, format!("host all all 127.0.0.1/32 scram-sha-256\n{trusting}")).unwrap();
        database.sql("postgres", "SELECT pg_reload_conf()");
        database.platform(&database.url("admin_user"), &["migrate", "up"]);
        database
    }

    /// A role's URL, as pods and the runbook's lines use it.
    pub fn url(&self, role: &str) -> String {
        format!("postgresql://{role}:{PASSWORD}@{NODE}:{}/api_platform", self.gate.port())
    }

    /// To the schema of the next version, which the one under test has to stand.
    pub fn migrate_to_next(&self) {
        Self::run(&given("EAP_TEST_NEXT_PLATFORM"), &self.url("admin_user"), &["migrate", "up"]);
    }

    /// Runs the binary under test with this database; it must succeed. What it printed.
    pub fn platform(&self, url: &str, words: &[&str]) -> String {
        Self::run(&given("EAP_TEST_PLATFORM"), url, words)
    }

    fn run(platform: &str, url: &str, words: &[&str]) -> String {
        let mut platform = Command::new(platform);
        let output = platform.args(words).env("DATABASE_URL", url).output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(output.status.success(), "platform {}: {said}", words.join(" "));
        said
    }

    /// Runs a statement as the superuser; what it gave.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let output = self.psql(database).args(["--command", statement]).output().unwrap();
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn psql(&self, database: &str) -> Command {
        let mut psql = Command::new(self.programs.program("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]);
        psql.args(["--dbname", &self.cluster.url("postgres", database)]);
        psql
    }

    /// Runs a statement in a transaction that lasts as long as the session.
    pub fn session(&self, database: &str, statement: &str) -> Session {
        let mut psql = self.psql(database).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = psql.stdin.as_mut().unwrap();
        writeln!(stdin, "BEGIN;\n{statement};\n\\echo begun").unwrap();
        let mut lines = BufReader::new(psql.stdout.as_mut().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "begun"), "{statement}");
        Session(psql)
    }
}

/// Somebody's psql, which ends when this is dropped.
pub struct Session(Child);

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

impl Default for Database {
    fn default() -> Self {
        Self::new()
    }
}
