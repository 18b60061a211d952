//! `platform serve` and the commands beside it.

use crate::process::{MASTER_KEY, Served, client, create_organization, installed, json, platform, token, until};
use std::process::Output;
use testing::Database;

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn three_services_know_each_others_tokens_and_only_auth_sends_mail() {
    let database = Database::new().await;
    create_organization(&database, "ada@example.com");
    let auth = Served::start(&database, Some("auth")).await;
    let without_mail = |service| {
        let mut command = installed(&database);
        command.env_remove("EAP_SMTP_URL").env_remove("EAP_MAIL_FROM");
        Served::spawn(command, Some(service))
    };
    let (user, org) = (without_mail("user"), without_mail("org"));
    user.until_ready().await;
    org.until_ready().await;
    let token = token(&auth.base, "ada@example.com").await;
    let get =
        async |base: &str, path: &str| client().get(format!("{base}{path}")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(json(get(&user.base, "/v1/users?limit=5").await).await["data"][0]["email"], "ada@example.com");
    assert_eq!(json(get(&org.base, "/v1/organization").await).await["name"], "Acme");
    assert_eq!(get(&org.base, "/v1/users").await.status(), 404, "each serves its own");
    assert!(org.process.terminate().success());
}

#[tokio::test]
async fn what_a_retired_key_signed_is_refused_in_every_process() {
    let database = Database::new().await;
    create_organization(&database, "ada@example.com");
    let (auth, org) = (Served::start(&database, Some("auth")).await, Served::start(&database, Some("org")).await);
    let old = token(&auth.base, "ada@example.com").await;
    let works = async |token: &str| {
        let asked = client().get(format!("{}/v1/organization", org.base)).bearer_auth(token).send();
        asked.await.unwrap().status() == 200
    };
    assert!(works(&old).await);
    let keys = |arguments: &[&str]| said(&installed(&database).arg("keys").args(arguments).output().unwrap());
    let first = keys(&["list"]).split_whitespace().next().unwrap().to_owned();
    assert!(first.bytes().all(|byte| byte.is_ascii_hexdigit()), "{first} may be taken for an option");
    assert!(keys(&["retire", &first]).contains("rotate first"));
    assert!(keys(&["rotate"]).contains("signs in two minutes"));
    let owner = database.client("admin_user").await;
    owner.batch_execute("UPDATE signing_keys SET signs_from = clock_timestamp() - interval '1 s'").await.unwrap();
    assert!(keys(&["retire", &first]).contains("is retired"));
    until(async || !works(&old).await).await;
    until(async || works(&token(&auth.base, "ada@example.com").await).await).await;
}

#[tokio::test]
async fn another_master_key_makes_a_process_that_is_not_ready_and_says_why() {
    let database = Database::new().await;
    create_organization(&database, "ada@example.com");
    drop(Served::start(&database, None).await);
    let mut command = installed(&database);
    command.env("EAP_MASTER_KEY", MASTER_KEY.replacen("dGVz", "ZGVz", 1));
    let served = Served::spawn(command, None);
    let ready = format!("{}/health/ready", served.base);
    until(async || match client().get(&ready).send().await {
        Ok(answer) => answer.text().await.unwrap().contains("EAP_MASTER_KEY is not the one"),
        Err(_) => false,
    })
    .await;
    let body = serde_json::json!({ "email": "ada@example.com", "password": crate::process::PASSWORD });
    let login = client().post(format!("{}/v1/auth/login", served.base)).json(&body).send().await.unwrap();
    assert_eq!((login.status().as_u16(), login.headers().contains_key("retry-after")), (503, true));
}

/// Whoever starts an old image by hand after a contracting migration: rule 4 of versions living together.
#[tokio::test]
async fn a_schema_that_has_left_this_version_behind_makes_it_not_ready_and_says_why() {
    let database = Database::new().await;
    let owner = database.client("admin_user").await;
    let oldest = |version: &str| format!("UPDATE _migrations SET oldest_app = {version} WHERE name LIKE '20250101%'");
    owner.batch_execute(&oldest("'99.0.0'")).await.unwrap();
    let served = Served::spawn(installed(&database), None);
    let ready = format!("{}/health/ready", served.base);
    until(async || match client().get(&ready).send().await {
        Ok(answer) => answer.text().await.unwrap().contains("the database's schema is for 99.0.0 and newer"),
        Err(_) => false,
    })
    .await;
    owner.batch_execute(&oldest("NULL")).await.unwrap();
    served.until_ready().await;
}

#[test]
fn a_level_that_is_none_is_refused() {
    let output = platform().args(["serve", "--port", "0"]).env("LOG_LEVEL", "verbose").output().unwrap();
    assert!(!output.status.success());
    assert!(said(&output).contains("LOG_LEVEL is `verbose`: it is error, warn, info, debug or trace"), "{output:?}");
}

#[test]
fn every_command_has_help_with_an_example() {
    let help = |command: &str| said(&platform().args([command, "--help"]).output().unwrap());
    let all = said(&platform().arg("--help").output().unwrap());
    let (_, commands) = all.split_once("Commands:\n").unwrap();
    let names = commands.lines().map_while(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    let names: Vec<_> = names.collect();
    assert!(names.len() > 10, "{all}");
    for name in names {
        let help = help(name);
        assert!(help.contains("Example") && help.contains(&format!("platform {name}")), "{name}: {help}");
    }
}

/// As a pod without the optional keys of its secret: the smoke test's mail is kept, all other is not sent.
#[tokio::test]
async fn without_its_optional_secrets_auth_service_starts_and_says_that_no_mail_is_sent() {
    let database = Database::new().await;
    let secrets = crate::process::folder();
    let file = |name: &str, text: &str| std::fs::write(secrets.path().join(name), text).unwrap();
    file("database-url", &database.app_url());
    file("master-key", MASTER_KEY);
    let port = crate::process::free_port().to_string();
    let mut command = installed(&database);
    command.args(["serve", "auth", "--metrics-port", "0", "--port", &port]);
    for (name, key) in [
        ("DATABASE_URL", "database-url"),
        ("EAP_MASTER_KEY", "master-key"),
        ("EAP_SMTP_URL", "smtp-url"),
        ("EAP_SMOKE_KEY", "smoke-key"),
    ] {
        command.env_remove(name).env(format!("{name}_FILE"), secrets.path().join(key));
    }
    let log = std::fs::File::create(secrets.path().join("log")).unwrap();
    let _process = crate::process::Process(command.env_remove("EAP_MAIL_FROM").stdout(log).spawn().unwrap());
    let ready = format!("http://127.0.0.1:{port}/health/ready");
    until(async || client().get(&ready).send().await.is_ok_and(|answer| answer.status() == 200)).await;
    let log = std::fs::read_to_string(secrets.path().join("log")).unwrap();
    assert!(log.contains("EAP_SMTP_URL is not set"), "{log}");
}

#[test]
fn prestop_waits_as_long_as_it_is_told() {
    let start = std::time::Instant::now();
    assert!(platform().args(["prestop", "1"]).output().unwrap().status.success());
    assert!(start.elapsed() >= std::time::Duration::from_secs(1));
    assert!(said(&platform().args(["prestop", "301"]).output().unwrap()).contains("300"));
}
