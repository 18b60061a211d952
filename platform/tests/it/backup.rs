//! `platform backup`: what was dumped comes back, whatever happens in between.

use crate::{
    kill_webhooks::receiver,
    process::{Dev, Process, client, folder, free_port, platform, until, until_within},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use testing::Database;

/// A database, and a folder for its backups.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self { database: Database::new().await, folder: folder() }
    }

    /// `platform backup …`, as the owner of the tables.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = platform();
        command.arg("backup").args(arguments).arg("--json").arg("--folder").arg(self.folder.path());
        command.env("DATABASE_URL", self.database.owner_url());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Value, String> {
        result(&self.command(arguments).output().unwrap())
    }

    /// The id of a new backup.
    pub(crate) fn create(&self) -> String {
        self.run(&["create"]).unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// What is there that is no backup: what was begun, and not the lock and the metrics.
    fn leftovers(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(".part")).collect()
    }

    /// Everything goes, as after a disaster; the database and its roles are made again.
    async fn wipe(&self) {
        let client = self.database.client("postgres").await;
        client.batch_execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await.unwrap();
        migrate::roles::ensure(&client).await.unwrap();
    }

    /// A restore into the database of this world, which has [`Self::much`], is killed in the middle.
    pub(crate) async fn kill_while_it_loads(&self, restore: &[&str]) {
        let mut child = self.command(restore);
        let process = Process(child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        // From another database: a restore refuses while somebody is in its own.
        let beside = Database::empty().await.client("postgres").await;
        let loads = "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'COPY public.much (%' AND datname = $1";
        let (name, _) = restore[1].split_once('-').unwrap();
        until(async || beside.query_one(loads, &[&name]).await.unwrap().get(0)).await;
        process.kill();
    }

    /// A table that takes a while.
    pub(crate) async fn much(&self) {
        let much =
            "CREATE TABLE much AS SELECT n, md5(n::text) || md5((-n)::text) AS text FROM generate_series(1, 600000) n";
        self.database.client("admin_user").await.batch_execute(much).await.unwrap();
    }
}

pub(crate) fn result(output: &Output) -> Result<Value, String> {
    if output.status.success() {
        return Ok(serde_json::from_slice(&output.stdout).unwrap());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

async fn me(dev: &Dev, token: &str) -> u16 {
    client().get(format!("{}/users/me", dev.api)).bearer_auth(token).send().await.unwrap().status().as_u16()
}

async fn refresh(dev: &Dev, token: &str) -> u16 {
    let body = json!({ "refresh_token": token });
    client().post(format!("{}/auth/refresh", dev.api)).json(&body).send().await.unwrap().status().as_u16()
}

/// Access and refresh token of a new session.
async fn sign_in(dev: &Dev) -> (String, String) {
    dev.token().await;
    let login = json!({ "email": "test@example.com", "password": "test123" });
    let answer = client().post(format!("{}/auth/login", dev.api)).json(&login).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let token = |name: &str| answer[name].as_str().unwrap().to_owned();
    (token("access_token"), token("refresh_token"))
}

fn smoke(data: &Path) -> Output {
    let mut smoke = platform();
    smoke.args(["smoke", "--env", "development", "--json", "--data-dir"]).arg(data).output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_database_comes_back_with_its_webhooks_and_without_its_sessions() {
    let (world, data, (url, seen)) = (World::new().await, folder(), receiver().await);
    let port = free_port();
    let dev = Dev::start_on(&world.database, data.path(), port).await;
    let (before, before_refresh) = sign_in(&dev).await;
    let endpoint = json!({ "url": url, "event_types": ["invoice.paid"] });
    dev.post(&before, "webhooks/endpoints", endpoint).await;
    // One that is on its way when the backup is made.
    let owner = world.database.client("postgres").await;
    owner.batch_execute("UPDATE endpoints SET paused_until = now() + interval '1 day'").await.unwrap();
    let sent = dev.post(&before, "webhooks/messages", json!({ "type": "invoice.paid", "data": {} })).await;
    let queued = async || owner.query_one("SELECT count(*) FROM delivery_queue", &[]).await.unwrap().get::<_, i64>(0);
    until(async || queued().await == 1).await;
    let id = world.create();
    let (after, after_refresh) = sign_in(&dev).await;
    dev.process.kill();
    // The same process again, on the same address, still takes them: what refuses them below is the restore.
    let dev = Dev::start_on(&world.database, data.path(), port).await;
    assert_eq!([me(&dev, &before).await, me(&dev, &after).await], [200, 200]);
    dev.process.kill();
    drop(owner);

    world.wipe().await;
    let mut restored = Value::Null;
    // Sessions of who was killed end a moment later.
    until(async || world.run(&["restore", &id]).map(|done| restored = done).is_ok()).await;
    assert_eq!(restored["epoch"], 2);
    assert!(restored["sessions_ended"].as_u64().unwrap() >= 1, "{restored}");
    let dev = Dev::start_on(&world.database, data.path(), port).await;
    assert_eq!([me(&dev, &before).await, me(&dev, &after).await], [401, 401]);
    assert_eq!([refresh(&dev, &before_refresh).await, refresh(&dev, &after_refresh).await], [401, 401]);
    let (token, _) = sign_in(&dev).await;
    assert_eq!(me(&dev, &token).await, 200);

    let owner = world.database.client("postgres").await;
    owner.batch_execute("UPDATE endpoints SET paused_until = NULL").await.unwrap();
    let next = dev.post(&token, "webhooks/messages", json!({ "type": "invoice.paid", "data": {} })).await;
    let arrived = |message: &Value| seen.lock().unwrap().contains_key(message["id"].as_str().unwrap());
    until(async || arrived(&sent) && arrived(&next)).await;
    let data = data.path().to_owned();
    let report = tokio::task::spawn_blocking(move || smoke(&data)).await.unwrap();
    let report = result(&report).unwrap();
    let passed = report["steps"].as_array().unwrap().iter().filter(|step| step["result"] == "passed").count();
    assert_eq!(passed, 8, "{report:#}");
}

#[tokio::test]
async fn a_backup_is_verified_by_a_restore_and_both_moments_are_metrics() {
    let world = World::new().await;
    world.database.client("admin_user").await.batch_execute("CREATE TABLE one AS SELECT 1 AS n").await.unwrap();
    let id = world.create();
    assert_eq!(world.run(&["list"]).unwrap()[0]["verified_at"], Value::Null);
    world.run(&["verify"]).unwrap();
    let server = world.database.superuser_url();
    world.run(&["verify", &id, "--server", &server]).unwrap();
    let scratch = "SELECT count(*) FROM pg_database WHERE datname LIKE 'verify%' || replace($1, '-', '_')";
    let left: i64 = world.database.client("postgres").await.query_one(scratch, &[&id]).await.unwrap().get(0);
    assert_eq!(left, 0, "the scratch database is dropped");
    assert!(world.run(&["list"]).unwrap()[0]["verified_at"].is_string());
    let metrics = fs::read_to_string(world.folder.path().join("backup.prom")).unwrap();
    for name in ["backup_last_success_timestamp_seconds ", "restore_verified_timestamp_seconds "] {
        assert!(metrics.lines().any(|line| line.starts_with(name)), "{metrics}");
    }

    let manifest = world.folder.path().join(&id).join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    let mut changed: Value = serde_json::from_str(&text).unwrap();
    changed["tables"]["one"]["checksum"] = json!("7");
    fs::write(&manifest, changed.to_string()).unwrap();
    assert!(world.run(&["verify"]).unwrap_err().contains("one has other rows"));
    fs::write(&manifest, text).unwrap();
    let file = fs::read_dir(world.folder.path().join(&id).join("data")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&file).unwrap();
    bytes[20] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert!(world.run(&["verify"]).unwrap_err().contains("is damaged"));
    assert!(world.run(&["restore", &id, "--replace"]).unwrap_err().contains("is damaged"));
}

#[tokio::test]
async fn a_database_that_is_full_or_in_use_is_left_alone() {
    let world = World::new().await;
    let id = world.create();
    let other = world.database.client("api_platform_app").await;
    let refusal = world.run(&["restore", &id, "--replace"]).unwrap_err();
    assert!(refusal.contains("in use by api_platform_app"), "{refusal}");
    drop(other);
    until(async || world.run(&["restore", &id]).unwrap_err().contains("is not empty")).await;
    let owner = world.database.client("admin_user").await;
    owner.batch_execute("CREATE TABLE later (); CREATE TYPE mood AS ENUM ('good')").await.unwrap();
    drop(owner);
    until(async || world.run(&["restore", &id, "--replace"]).is_ok()).await;
    let owner = world.database.client("admin_user").await;
    let later = "SELECT to_regclass('later') IS NULL AND to_regtype('mood') IS NULL";
    assert!(owner.query_one(later, &[]).await.unwrap().get::<_, bool>(0), "what the backup does not have is gone");
    assert_eq!(world.run(&["restore", "nothing"]).unwrap_err().matches("there is no backup nothing").count(), 1);
}

#[tokio::test]
async fn a_login_that_may_not_see_everything_makes_no_backup() {
    let world = World::new().await;
    for login in ["api_platform_app", "readonly_user", "nobody_here"] {
        let mut command = world.command(&["create"]);
        command.env("DATABASE_URL", world.database.url(login));
        let refusal = result(&command.output().unwrap()).unwrap_err();
        assert!(refusal.contains("permission denied") || refusal.contains("does not exist"), "{login}: {refusal}");
    }
    assert_eq!(world.run(&["list"]).unwrap(), json!([]));
    assert_eq!(world.leftovers(), [""; 0]);
}

#[tokio::test]
async fn a_backup_that_is_killed_has_no_name_and_the_next_one_clears_up() {
    let world = World::new().await;
    world.much().await;
    let mut child = world.command(&["create"]);
    let process = Process(child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let has_begun = || {
        let halves = world.leftovers().into_iter().map(|name| world.folder.path().join(name).join("data"));
        halves.filter_map(|data| fs::read_dir(data).ok()).any(|mut files| files.next().is_some())
    };
    until(async || has_begun()).await;
    // A second run does not disturb the first.
    assert!(world.run(&["create"]).unwrap_err().contains("another backup is being made"));
    process.kill();
    assert_eq!(world.leftovers().len(), 1, "it was killed in the middle");
    assert_eq!(world.run(&["list"]).unwrap(), json!([]));
    until(async || world.run(&["create"]).is_ok()).await;
    assert_eq!((world.leftovers().len(), world.run(&["list"]).unwrap().as_array().unwrap().len()), (0, 1));
    world.run(&["verify"]).unwrap();
}

#[tokio::test]
async fn a_restore_that_is_killed_lets_no_service_start_and_is_simply_done_again() {
    let world = World::new().await;
    world.much().await;
    let id = world.create();
    world.wipe().await;
    world.kill_while_it_loads(&["restore", &id]).await;
    let owner = world.database.client("postgres").await;
    let applied = "SELECT to_regclass('_migrations') IS NULL";
    assert!(owner.query_one(applied, &[]).await.unwrap().get::<_, bool>(0), "nothing says that the schema is there");
    drop(owner);
    let refused = |refusal: String| refusal.contains("is not empty");
    until(async || world.run(&["restore", &id]).is_err_and(refused)).await;
    world.run(&["restore", &id, "--replace"]).unwrap();
    let owner = world.database.client("admin_user").await;
    let rows: i64 = owner.query_one("SELECT count(*) FROM much", &[]).await.unwrap().get(0);
    assert_eq!(rows, 600_000);
    assert!(!owner.query_one(applied, &[]).await.unwrap().get::<_, bool>(0));
}

#[tokio::test]
async fn a_full_disk_is_told_and_left_as_it_was() {
    let world = World::new().await;
    world.much().await;
    let small = world.folder.path().join("small");
    fs::create_dir(&small).unwrap();
    let script = "mount -t tmpfs -o size=1m none \"$SMALL\" && ! \"$@\" && ls -A \"$SMALL\"";
    let mut command = Command::new("unshare");
    command.arg("--mount");
    // Who is root already would lose by it what makes the server's socket reachable.
    command.args((!rustix::process::geteuid().is_root()).then_some("--map-root-user"));
    command.args(["sh", "-c", script, "sh", env!("CARGO_BIN_EXE_platform")]);
    command.args(["backup", "create", "--folder"]).arg(&small).env("SMALL", &small);
    let output = command.env("DATABASE_URL", world.database.owner_url()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("No space left on device"), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), ".lock\n");
    until_within(Duration::from_secs(5), async || world.run(&["create"]).is_ok()).await;
}
