//! PostgreSQL goes away under load and comes back.

use db::{Work, secrets::MasterKey};
use identity::Account;
use platform::{Options, Server};
use private_postgres::{Cluster, Programs, Purpose};
use reqwest::Client;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tests::{PASSWORD, send, until};
use tokio::task::JoinSet;
use types::Email;

const SECOND: Duration = Duration::from_secs(1);

/// Outlives the cluster's stop, which is no crash of the test; removed also when an assertion fails.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A hundred requests a second, four of five of them reads.
pub(crate) struct Load {
    pub(crate) client: Client,
    pub(crate) base: String,
    pub(crate) token: String,
    /// PostgreSQL was away and is there again.
    recovered: AtomicBool,
    stopped: AtomicBool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// How often each status came, with and without `Retry-After`.
    answers: BTreeMap<(u16, bool), usize>,
    /// Requests that began after the recovery and failed.
    late: usize,
    /// Resources that were acknowledged.
    written: BTreeSet<String>,
}

impl Load {
    async fn run(self: Arc<Self>) {
        let mut tasks = JoinSet::new();
        let mut every = tokio::time::interval(Duration::from_millis(10));
        for n in 0_u32.. {
            if self.stopped.load(Relaxed) {
                break;
            }
            every.tick().await;
            let load = Arc::clone(&self);
            tasks.spawn(async move { load.ask(n % 5 == 0).await });
        }
        tasks.join_all().await;
    }

    async fn ask(&self, writes: bool) {
        let request = if writes {
            let note = json!({ "type": "note", "document": { "title": "written under load" } });
            self.client.post(format!("{}/v1/resources", self.base)).json(&note)
        } else {
            self.client.get(format!("{}/v1/users", self.base))
        };
        let recovered = self.recovered.load(Relaxed);
        let answer = send(request.bearer_auth(&self.token)).await;
        let kind = (answer.status.as_u16(), answer.headers.contains_key("retry-after"));
        let mut seen = self.seen.lock().unwrap();
        *seen.answers.entry(kind).or_default() += 1;
        seen.late += usize::from(recovered && kind.0 == 503);
        if kind.0 == 201 {
            seen.written.insert(answer.body["id"].as_str().unwrap().to_owned());
        }
    }

    fn answered(&self, status: u16) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.answers.iter().filter(|((one, _), _)| *one == status).map(|(_, count)| count).sum()
    }

    async fn until(&self, status: u16, count: usize) {
        let before = self.answered(status);
        until(10 * SECOND, async || self.answered(status) >= before + count).await;
    }
}

pub(crate) async fn prepared(cluster: &Cluster) -> String {
    let admin = migrate::connect(&cluster.url("postgres", "postgres")).await.unwrap();
    admin.batch_execute("CREATE DATABASE outage").await.unwrap();
    let superuser = migrate::connect(&cluster.url("postgres", "outage")).await.unwrap();
    migrate::roles::ensure(&superuser).await.unwrap();
    let files = testing::migrations();
    migrate::up(
        &migrate::connect(&cluster.url("admin_user", "outage")).await.unwrap(),
        &files,
        &migrate::Options::default(),
        |_| {},
    )
    .await
    .unwrap();
    cluster.url("api_platform_app", "outage")
}

/// Somebody with an organization and a resource type, who asks all the time.
pub(crate) async fn load(server: &Server) -> Arc<Load> {
    let (identity, client, base) = (server.identity(), Client::builder().no_proxy().build().unwrap(), server.url());
    let email = Email::parse("ada@example.com").unwrap();
    let account = Account::hashed(&identity.hasher, email, "Ada", PASSWORD).await.unwrap();
    let tx = identity.app.db.system(Work::Administration).await.unwrap();
    let founder = identity::seed(&identity.app, &tx, &account).await.unwrap();
    orgs::found(&identity.app, &tx, "Engines", &founder).await.unwrap();
    tx.commit().await.unwrap();
    let login = json!({ "email": "ada@example.com", "password": PASSWORD });
    let answer = send(client.post(format!("{base}/v1/auth/login")).json(&login)).await;
    let token = answer.body["access_token"].as_str().unwrap().to_owned();
    let note = json!({ "name": "note", "schema": { "type": "object" }, "indexed": [] });
    let made = send(client.post(format!("{base}/v1/resource-types")).bearer_auth(&token).json(&note)).await;
    assert_eq!(made.status, 201, "{made:?}");
    Arc::new(Load { client, base, token, recovered: false.into(), stopped: false.into(), seen: Mutex::default() })
}

/// The resources whose creation is in the event log, and how many such events there are.
async fn logged(cluster: &Cluster) -> (BTreeSet<String>, usize) {
    let superuser = migrate::connect(&cluster.url("postgres", "outage")).await.unwrap();
    let targets = "SELECT target FROM events WHERE kind = 'resource.created'";
    let targets: Vec<String> = superuser.query(targets, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    let count = targets.len();
    (targets.into_iter().collect(), count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_postgresql_costs_only_503s_that_say_when_to_try_again() {
    let programs = Programs::find().unwrap();
    let folder = Folder(std::env::temp_dir().join(format!("outage-{}", std::process::id())));
    let cluster = Cluster::start(&programs, &folder.0, Purpose::Development).unwrap();
    let options =
        Options { master_key: MasterKey::of_secret(b"outage"), ..Options::for_tests(prepared(&cluster).await) };
    let server = Server::start(options).unwrap();
    server.ready().await;
    let load = load(&server).await;
    let health = async |path: &str| send(load.client.get(format!("{}{path}", load.base))).await;
    let is = async |status: &str| health("/health").await.body["status"] == status;

    let loading = tokio::spawn(Arc::clone(&load).run());
    load.until(200, 80).await;
    drop(cluster);
    load.until(503, 80).await;
    until(3 * SECOND, async || is("degraded").await).await;
    assert_eq!(health("/health/live").await.status, 200, "restarting the process would cure nothing");

    let cluster = Cluster::start(&programs, &folder.0, Purpose::Development).unwrap();
    until(2 * SECOND, async || is("healthy").await).await;
    load.recovered.store(true, Relaxed);
    load.until(200, 80).await;
    load.until(201, 20).await;
    load.stopped.store(true, Relaxed);
    loading.await.unwrap();

    let seen = std::mem::take(&mut *load.seen.lock().unwrap());
    let expected = |kind: &(u16, bool)| matches!(kind, (200 | 201, false) | (503, true));
    assert!(seen.answers.keys().all(expected), "{:?}", seen.answers);
    assert_eq!(seen.late, 0, "nothing fails any more once it is healthy: {:?}", seen.answers);
    until(5 * SECOND, async || logged(&cluster).await.0.is_superset(&seen.written)).await;
    let (distinct, count) = logged(&cluster).await;
    assert_eq!(distinct.len(), count, "no event is written twice");
    server.stop().await;
}
