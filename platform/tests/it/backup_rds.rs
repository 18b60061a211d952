//! `platform backup … --rds`: the real `aws` program, against an imitation of Amazon that has a bad day.

use crate::process::{Process, client_libraries, folder, platform};
use private_postgres::{Cluster, Programs, Purpose};
use serde_json::{Value, json};
use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The programs `aws` and moto.
pub(crate) fn installed_aws() -> PathBuf {
    client_libraries("aws")
}

/// The imitation, and a folder with the program `aws` that asks it.
pub(crate) struct Amazon {
    _server: Process,
    url: String,
    programs: tempfile::TempDir,
}

impl Amazon {
    /// One that throttles, fails, is slow and loses an answer.
    fn on_a_bad_day(aws: &Path) -> Self {
        Self::start(aws, "bad", 0)
    }

    /// One that does what it is asked for.
    pub(crate) fn on_a_good_day(aws: &Path) -> Self {
        Self::start(aws, "good", 0)
    }

    /// Its restored instances are the server at this port.
    fn start(aws: &Path, day: &str, restored: u16) -> Self {
        let mut server = Command::new("python3");
        server
            .args([&aws.join("rds.py").display().to_string(), day, &restored.to_string()])
            .env("PYTHONPATH", aws.join("python"));
        let mut server = Process(server.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
        let mut port = String::new();
        BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let url = format!("http://127.0.0.1:{}", port.trim());
        let amazon = Self { _server: server, url, programs: folder() };
        // Version 1 of the program takes AWS_ENDPOINT_URL for other services, and for RDS only the flag.
        let library = aws.join("python");
        let (library, url) = (library.display(), &amazon.url);
        let script = format!("PYTHONPATH='{library}' exec python3 -m awscli --endpoint-url {url} \"$@\"");
        amazon.program("aws", &script);
        amazon
    }

    /// A program beside `aws`: a line for the shell.
    pub(crate) fn program(&self, name: &str, line: &str) {
        let program = self.programs.path().join(name);
        fs::write(&program, format!("#!/bin/sh\n{line}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A database instance of this name.
    pub(crate) fn make_instance(&self, name: &str) {
        let make = format!(
            "aws rds create-db-instance --db-instance-identifier {name} --engine postgres --db-instance-class db.m6g.large \
             --allocated-storage 20 --master-username a --master-user-password abcdefgh1 --no-publicly-accessible"
        );
        self.shell(&make).unwrap();
    }

    /// With its programs first on PATH, and without repetitions of their own.
    pub(crate) fn prepare(&self, command: &mut Command) {
        let path = format!("{}:{}", self.programs.path().display(), env::var("PATH").unwrap());
        command.env("PATH", path).env("AWS_MAX_ATTEMPTS", "1").env("AWS_DEFAULT_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").env_remove("AWS_PROFILE");
    }

    fn ask(&self, mut command: Command) -> Result<String, String> {
        self.prepare(&mut command);
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    fn platform(&self, arguments: &[&str]) -> Result<Value, String> {
        self.platform_of("", arguments)
    }

    /// With the database of the old instance.
    fn platform_of(&self, url: &str, arguments: &[&str]) -> Result<Value, String> {
        let mut command = platform();
        command.arg("backup").args(arguments).arg("--json").arg("--folder").arg(self.folder());
        command.env("DATABASE_URL", url);
        self.ask(command).map(|text| serde_json::from_str(&text).unwrap())
    }

    /// Which the first command makes.
    fn folder(&self) -> PathBuf {
        self.programs.path().join("backups")
    }

    /// Whether each of both moments was ever written down: of the last backup, and of the last restore.
    fn noted(&self) -> [bool; 2] {
        let metrics = fs::read_to_string(self.folder().join("backup.prom")).unwrap_or_default();
        ["backup_last_success_timestamp_seconds ", "restore_verified_timestamp_seconds "]
            .map(|name| metrics.lines().any(|line| line.starts_with(name)))
    }

    fn shell(&self, script: &str) -> Result<String, String> {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        self.ask(shell)
    }

    async fn calls(&self, action: &str) -> u64 {
        let all: Value = reqwest::get(&self.url).await.unwrap().json().await.unwrap();
        all[action].as_u64().unwrap()
    }
}

/// A server with a migrated database, and another with a copy of all its files, as a restored instance is one.
struct Servers {
    old: Cluster,
    new: Cluster,
    _place: tempfile::TempDir,
}

impl Servers {
    /// The copy is made after this.
    async fn start(before: &str) -> Self {
        let (place, programs) = (folder(), Programs::find().unwrap());
        let start = |name| Cluster::start(&programs, &place.path().join(name), Purpose::Development).unwrap();
        let old = start("old");
        for (login, step) in [("postgres", "roles"), ("admin_user", "up")] {
            let mut migrate = platform();
            migrate.args(["migrate", step]).env("DATABASE_URL", old.tcp_url(login, "postgres"));
            assert!(migrate.stdout(Stdio::null()).status().unwrap().success());
        }
        session(&old, "postgres").await.batch_execute(before).await.unwrap();
        drop(old);
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(place.path().join("old")).arg(place.path().join("new"));
        assert!(copy.status().unwrap().success());
        Self { old: start("old"), new: start("new"), _place: place }
    }
}

async fn session(cluster: &Cluster, login: &str) -> migrate::Client {
    migrate::connect(&cluster.tcp_url(login, "postgres")).await.unwrap()
}

const SOURCE: &str = "ALTER DATABASE postgres OWNER TO admin_user;
    INSERT INTO organizations (id, name, created_at, updated_at) VALUES (gen_random_uuid(), 'Acme', now(), now());
    INSERT INTO analytics_sources (org_id, id, name, write_key, allowed_origins, enabled, created_at, updated_at)
        SELECT id, gen_random_uuid(), 'leaked', 'leaked', '{}', true, now(), now() FROM organizations";

const SINCE: &str = "DELETE FROM analytics_sources;
    INSERT INTO outbox (event_id, kind, actor, data, at)
        VALUES (gen_random_uuid(), 'analytics_source.deleted', '{}', '{}', now())";

#[tokio::test]
async fn an_instance_is_restored_once_to_a_moment_and_the_old_one_is_kept_read_only() {
    let servers = Servers::start(SOURCE).await;
    let (old, amazon) =
        (servers.old.tcp_url("admin_user", "postgres"), Amazon::start(&installed_aws(), "bad", servers.new.port()));
    session(&servers.old, "admin_user").await.batch_execute(SINCE).await.unwrap();
    amazon.make_instance("prod-db");
    let moment = "2025-01-17T14:00:00Z";
    let restored = amazon.platform_of(&old, &["restore", "--rds", "prod-db", "--at", moment]).unwrap();
    assert_eq!(amazon.noted(), [false, true]);
    let id = restored["id"].as_str().unwrap();
    assert_eq!(id.strip_prefix("prod-db-restore-").unwrap().len(), "20250117-140000".len());
    // Throttled, 503, made with its answer lost, and found to be there; then on its way twice, and once nobody answered.
    assert_eq!(amazon.calls("RestoreDBInstanceToPointInTime").await, 4);
    assert_eq!(amazon.calls("DescribeDBInstances restored").await, 4);
    let like = format!(
        "aws rds describe-db-instances --db-instance-identifier {id} --output text \
         --query 'DBInstances[0].[DBInstanceClass,PubliclyAccessible]'"
    );
    assert_eq!(amazon.shell(&like).unwrap().trim(), "db.m6g.large\tFalse");
    assert_eq!((&restored["old"], &restored["epoch"]), (&json!({ "state": "kept", "writable": null }), &json!(2)));
    assert_eq!(restored["revoked"], json!({ "analytics_sources": 1 }));
    assert_eq!(restored["loss"]["events"], json!({ "analytics_source.deleted": 1 }));
    assert_eq!(restored["loss"]["tables"]["outbox"], json!({ "restored": 0, "old": 1 }));
    let swap = restored["swap"].to_string();
    let [old_port, new_port] =
        [&servers.old, &servers.new].map(|server| format!("PASSWORD@127.0.0.1:{}/", server.port()));
    assert!(restored["swap"]["steps"].to_string().contains(&new_port) && swap.contains(&old_port), "{swap}");
    let write = session(&servers.old, "admin_user").await.batch_execute("DELETE FROM outbox").await.unwrap_err();
    assert!(write.as_db_error().unwrap().message().contains("read-only transaction"), "{write}");

    // A run that was cut off while it waited is gone on with, and makes nothing.
    let again = amazon.platform_of(&old, &["restore", "--rds", "prod-db", "--instance", id]).unwrap();
    assert_eq!((&again["id"], &again["epoch"], &again["old"]), (&json!(id), &json!(3), &restored["old"]));
    assert_eq!(amazon.calls("RestoreDBInstanceToPointInTime").await, 4);
}

#[tokio::test]
async fn where_no_moment_can_be_had_the_last_snapshot_before_it_is_restored() {
    let servers = Servers::start("SELECT").await;
    let (old, amazon) =
        (servers.old.tcp_url("admin_user", "postgres"), Amazon::start(&installed_aws(), "bad", servers.new.port()));
    let source = "db-without-moments";
    amazon.make_instance(source);
    let restore = |more: &[&str]| amazon.platform_of(&old, &[&["restore", "--rds", source], more].concat());
    let refused = restore(&["--at", "2025-01-17T14:00:00Z"]).unwrap_err();
    assert!(refused.contains("no snapshot is older"), "{refused}");
    let snapshot = amazon.platform(&["create", "--rds", source]).unwrap()["id"].as_str().unwrap().to_owned();
    let restored = restore(&["--at", "2200-01-17T14:00:00Z"]).unwrap();
    assert_eq!(amazon.calls("RestoreDBInstanceFromDBSnapshot").await, 4);
    assert!(restored["id"].as_str().unwrap().starts_with("db-without-moments-restore-"), "{restored}");
    // Here the database belongs to somebody else.
    assert!(restored["old"]["writable"].as_str().unwrap().contains("must be owner of database"), "{restored}");
    assert!(restored["swap"]["steps"][0].as_str().unwrap().starts_with("psql 'postgresql://OWNER@"), "{restored}");
    // By its name too; and what is wrong is not repeated.
    let named = restore(&[&snapshot]).unwrap();
    assert_eq!((&named["epoch"], amazon.calls("RestoreDBInstanceFromDBSnapshot").await), (&json!(3), 5));
    assert!(restore(&["no-such-snapshot"]).unwrap_err().contains("DBSnapshotNotFound"));
    assert!(restore(&[]).unwrap_err().contains("required arguments"));
}

#[tokio::test]
async fn a_snapshot_is_taken_once_though_amazon_throttles_fails_and_loses_an_answer() {
    let amazon = Amazon::on_a_bad_day(&installed_aws());
    amazon.make_instance("prod-db");
    let made = amazon.platform(&["create", "--rds", "prod-db"]).unwrap();
    assert_eq!(amazon.noted(), [true, false]);
    let id = made["id"].as_str().unwrap();
    let moment = id.strip_prefix("prod-db-snapshot-").unwrap();
    assert!(moment.len() == "20250117-140000".len() && made["status"] == "available", "{made}");
    // Throttled, 503, made with its answer lost, and found to be there.
    assert_eq!(amazon.calls("CreateDBSnapshot").await, 4);
    // Twice it was still being made, and once nobody answered.
    assert_eq!(amazon.calls("DescribeDBSnapshots").await, 4);
    let listed = amazon.platform(&["list", "--rds", "prod-db"]).unwrap();
    let listed = listed.as_array().unwrap().iter().map(|snapshot| snapshot["id"].as_str().unwrap());
    // Amazon takes one of its own when an instance is made.
    assert_eq!(listed.filter(|id| !id.starts_with("rds:")).collect::<Vec<_>>(), [id]);

    // The runbook's own lines see the same, and what is wrong is not repeated.
    let status = format!(
        "aws rds describe-db-snapshots \\\n  --db-snapshot-identifier {id} \\\n  --query 'DBSnapshots[0].Status'"
    );
    assert_eq!(amazon.shell(&status).unwrap(), "\"available\"\n");
    let by_hand = "aws rds create-db-snapshot \\\n  --db-instance-identifier prod-db \\\n  --db-snapshot-identifier prod-db-snapshot-$(date +%Y%m%d-%H%M%S)-by-hand";
    amazon.shell(by_hand).unwrap();
    let before = amazon.calls("CreateDBSnapshot").await;
    fs::remove_file(amazon.folder().join("backup.prom")).unwrap();
    assert!(amazon.platform(&["create", "--rds", "nowhere"]).unwrap_err().contains("DBInstanceNotFound"));
    assert_eq!(amazon.calls("CreateDBSnapshot").await, before + 1);
    assert_eq!(amazon.noted(), [false, false], "what failed is no success");
}
