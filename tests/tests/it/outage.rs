//! PostgreSQL goes away under load and comes back.

use db::{Work, secrets::MasterKey};
use identity::Account;
use platform::{Options, Server};
use private_postgres::{Cluster, Programs, Purpose};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};
use types::Email;

async fn prepared(cluster: &Cluster) -> String {
    let admin = migrate::connect(&cluster.url("postgres", "postgres")).await.unwrap();
    admin.batch_execute("CREATE DATABASE outage").await.unwrap();
    let superuser = migrate::connect(&cluster.url("postgres", "outage")).await.unwrap();
    migrate::roles::ensure(&superuser).await.unwrap();
    let files = migrate::Files::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations"))).unwrap();
    migrate::up(&migrate::connect(&cluster.url("admin_user", "outage")).await.unwrap(), &files, |_| {}).await.unwrap();
    cluster.url("api_platform_app", "outage")
}

async fn token(server: &Server, client: &Client) -> String {
    let identity = server.identity();
    let email = Email::parse("ada@example.com").unwrap();
    let account = Account::hashed(&identity.hasher, email, "Ada", "correct horse battery").await.unwrap();
    let tx = identity.app.db.system(Work::Administration).await.unwrap();
    let founder = identity::seed(&identity.app, &tx, &account).await.unwrap();
    orgs::found(&identity.app, &tx, "Engines", &founder).await.unwrap();
    tx.commit().await.unwrap();
    let login = json!({ "email": "ada@example.com", "password": "correct horse battery" });
    let answer = client.post(format!("{}/v1/auth/login", server.url())).json(&login).send().await.unwrap();
    answer.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned()
}

/// A hundred requests a second, four of five of them reads; each status, and whether a 503 said when to try again.
async fn load(client: Client, base: String, token: String, until: Instant) -> BTreeMap<(u16, bool), usize> {
    let mut tasks = tokio::task::JoinSet::new();
    let mut every = tokio::time::interval(Duration::from_millis(10));
    for n in 0.. {
        if Instant::now() > until {
            break;
        }
        every.tick().await;
        let request = if n % 5 == 0 {
            client.patch(format!("{base}/v1/organization")).json(&json!({ "name": format!("Engines {n}") }))
        } else {
            client.get(format!("{base}/v1/users"))
        };
        tasks.spawn(request.bearer_auth(&token).send());
    }
    let mut seen = BTreeMap::new();
    for answer in tasks.join_all().await {
        let answer = answer.unwrap();
        *seen.entry((answer.status().as_u16(), answer.headers().contains_key("retry-after"))).or_default() += 1;
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_postgresql_costs_only_503s_that_say_when_to_try_again() {
    let programs = Programs::find().unwrap();
    let folder = std::env::temp_dir().join(format!("outage-{}", std::process::id()));
    let cluster = Cluster::start(&programs, &folder, Purpose::Development).unwrap();
    let options =
        Options { master_key: MasterKey::of_secret(b"outage"), ..Options::for_tests(prepared(&cluster).await) };
    let server = Server::start(options).await.unwrap();
    server.ready().await;
    let client = Client::builder().no_proxy().build().unwrap();
    let token = token(&server, &client).await;
    let until = Instant::now() + Duration::from_secs(5);
    let loading = tokio::spawn(load(client.clone(), server.url(), token.clone(), until));

    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(cluster);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let cluster = Cluster::start(&programs, &folder, Purpose::Development).unwrap();
    let back = Instant::now();
    let health = async || client.get(format!("{}/health", server.url())).send().await.unwrap().status();
    tests::until(Duration::from_secs(2), async || health().await == StatusCode::OK).await;
    let users = client.get(format!("{}/v1/users", server.url())).bearer_auth(&token);
    assert_eq!(users.send().await.unwrap().status(), 200, "{:?} after it is back", back.elapsed());

    let seen = loading.await.unwrap();
    let expected = |status: &(u16, bool)| matches!(status, (200, false) | (503, true));
    assert!(seen.keys().all(expected), "{seen:?}");
    assert!(seen[&(200, false)] > 100 && seen.get(&(503, true)).is_some_and(|refused| *refused > 10), "{seen:?}");
    server.stop().await;
    drop(cluster);
    std::fs::remove_dir_all(folder).unwrap();
}
