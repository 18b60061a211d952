//! What was taken away after a backup stays away when it is restored, and what is lost is counted.

use crate::{
    backup::{World, result},
    process::{PASSWORD, Served, client, create_organization, json, until},
};
use serde_json::{Value, json};
use std::{env, fs, process::Command};
use testing::{Client, Database};

/// Into another database, beside an old one.
fn beside(world: &World, new: &Database, id: &str, old: &str) -> Result<(Value, String), String> {
    let mut command = world.command(&["restore", id, "--old", old]);
    let output = command.env("DATABASE_URL", new.owner_url()).output().unwrap();
    result(&output).map(|restored| (restored, String::from_utf8_lossy(&output.stderr).into_owned()))
}

async fn token(served: &Served, email: &str) -> String {
    crate::process::token(&served.base, email).await
}

async fn post(served: &Served, token: &str, path: &str, body: Value) -> Value {
    let request = client().post(format!("{}/v1/{path}", served.base)).bearer_auth(token).json(&body);
    json(request.send().await.unwrap()).await
}

async fn members_of(served: &Served, token: &str) -> Vec<Value> {
    let request = client().get(format!("{}/v1/members", served.base)).bearer_auth(token);
    json(request.send().await.unwrap()).await["data"].as_array().unwrap().clone()
}

/// What a write key is answered.
async fn tracked(served: &Served, source: &Value) -> u16 {
    let key = source["write_key"].as_str().unwrap();
    let event = json!({ "batch": [{ "type": "track", "event": "Seen", "userId": "u", "messageId": "m" }] });
    let request = client().post(format!("{}/v1/batch", served.base)).basic_auth(key, Some("")).json(&event);
    request.send().await.unwrap().status().as_u16()
}

/// Members of Ada's organization.
const MEMBERS: &str = "memberships WHERE org_id = (SELECT org_id FROM memberships WHERE email LIKE 'ada@%')";

/// Everybody of the others' organizations becomes a member of Ada's.
const JOIN: &str = "INSERT INTO memberships (org_id, user_id, role, email, email_key, created_at)
    SELECT (SELECT org_id FROM memberships WHERE email LIKE 'ada@%'), u.id, 'admin', u.email, u.email_key, now()
    FROM users u WHERE u.email NOT LIKE 'ada@%'";

/// A change of one of them.
fn of(person: &str, change: &str) -> String {
    format!("{} AND email LIKE '{person}@%'", MEMBERS.replacen("memberships", change, 1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_and_members_revoked_after_the_backup_stay_revoked_and_the_loss_is_counted() {
    let world = World::new().await;
    for person in ["ada", "bob", "cyd", "dan"] {
        create_organization(&world.database, &format!("{person}@example.com"));
    }
    let owner = world.database.client("postgres").await;
    owner.batch_execute(JOIN).await.unwrap();
    let served = Served::start(&world.database, None).await;
    let ada = token(&served, "ada@example.com").await;
    let stays = post(&served, &ada, "analytics/sources", json!({ "name": "stays" })).await;
    let leaked = post(&served, &ada, "analytics/sources", json!({ "name": "leaked" })).await;
    post(&served, &ada, "resource-types", json!({ "name": "note", "schema": {}, "indexed": [] })).await;
    assert_eq!([tracked(&served, &stays).await, tracked(&served, &leaked).await], [200, 200]);
    until(async || count(&owner, "outbox").await == 0).await;
    let id = world.create();

    let url = format!("{}/v1/analytics/sources/{}", served.base, leaked["id"].as_str().unwrap());
    assert_eq!(client().delete(url).bearer_auth(&ada).send().await.unwrap().status(), 204);
    let members = members_of(&served, &ada).await;
    let bob = members.iter().find(|member| member["email"] == "bob@example.com").unwrap();
    let bob = bob["user_id"].as_str().unwrap();
    let lowered = client().patch(format!("{}/v1/members/{bob}", served.base)).bearer_auth(&ada);
    json(lowered.json(&json!({ "role": "viewer" })).send().await.unwrap()).await;
    for n in 0..3 {
        let note = json!({ "type": "note", "document": { "n": n } });
        post(&served, &ada, "resources", note).await;
    }
    until(async || count(&owner, "outbox").await == 0).await;
    // Nothing of the API does these yet.
    owner.batch_execute(&of("cyd", "DELETE FROM memberships")).await.unwrap();
    owner.batch_execute(&of("dan", "UPDATE memberships SET status = 'suspended'")).await.unwrap();
    drop(owner);

    let new = Database::without_tables().await.0;
    let refused = beside(&world, &new, &id, &world.database.owner_url()).unwrap_err();
    assert!(refused.contains("the old database is in use by the services"), "{refused}");
    served.process.kill();
    let mut done = None;
    until(async || beside(&world, &new, &id, &world.database.owner_url()).map(|ended| done = Some(ended)).is_ok())
        .await;
    let (restored, said) = done.unwrap();
    assert_eq!(restored["old"], json!({ "state": "kept", "writable": null }));
    assert_eq!(restored["revoked"], json!({ "analytics_sources": 1, "memberships": 3 }), "{restored:#}");
    let events = json!({ "analytics_source.deleted": 1, "member.role_changed": 1, "resource.created": 3 });
    assert_eq!(restored["loss"]["events"], events);
    assert_eq!(restored["loss"]["tables"]["resources"], json!({ "restored": 0, "old": 3 }));
    assert_eq!(restored["loss"]["tables"]["memberships"], Value::Null, "{restored:#}");
    // Before it, the backup still had them.
    assert!(said.contains("memberships: 7 rows, the old database has 6"), "{said}");
    assert!(said.contains("1 member.role_changed, 3 resource.created"), "{said}");

    let served = Served::start(&new, None).await;
    assert_eq!([tracked(&served, &stays).await, tracked(&served, &leaked).await], [200, 401]);
    let ada = token(&served, "ada@example.com").await;
    let members = members_of(&served, &ada).await;
    let shown = members
        .iter()
        .map(|member| ["email", "role", "status"].map(|name| member[name].as_str().unwrap().to_owned()).join(" "));
    let expected = ["ada@example.com owner active", "bob@example.com viewer active", "dan@example.com admin suspended"];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
    let login = async |email: &str, org: Option<&Value>| {
        let login = json!({ "email": email, "password": PASSWORD, "organization_id": org });
        client().post(format!("{}/v1/auth/login", served.base)).json(&login).send().await.unwrap()
    };
    let acme = json(login("ada@example.com", None).await).await["organization"]["id"].clone();
    assert_eq!(login("ada@example.com", Some(&acme)).await.status(), 200);
    assert_eq!(login("cyd@example.com", Some(&acme)).await.status(), 404);

    old_takes_writes_again_after_the_undo(&world, &new, &restored).await;
}

async fn old_takes_writes_again_after_the_undo(world: &World, new: &Database, restored: &Value) {
    let lines = |of: &str| -> Vec<String> { serde_json::from_value(restored["swap"][of].clone()).unwrap() };
    let name =
        |database: &Database| database.owner_url().split_once("@/").unwrap().1.split_once('?').unwrap().0.to_owned();
    assert!(lines("steps")[0].contains(&format!("api_platform_app:PASSWORD@/{}?", name(new))), "{:?}", lines("steps"));
    let app = world.database.client("api_platform_app").await;
    let write = "SET ROLE eap_system; UPDATE consumers SET position = position";
    let refused = app.batch_execute(write).await.unwrap_err();
    assert!(refused.as_db_error().unwrap().message().contains("read-only transaction"), "{refused}");
    let undo = lines("undo").into_iter().find(|line| line.starts_with("psql ")).unwrap();
    let programs = private_postgres::Programs::find().unwrap().folder;
    let path = format!("{}:{}", programs.display(), env::var("PATH").unwrap());
    let ran = Command::new("sh").args(["-c", &undo]).env("PATH", path).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    world.database.client("api_platform_app").await.batch_execute(write).await.unwrap();
}

async fn count(client: &Client, table: &str) -> i64 {
    client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn an_old_database_that_cannot_be_read_is_told_and_the_restore_goes_on() {
    let world = World::new().await;
    create_organization(&world.database, "ada@example.com");
    let id = world.create();
    let (new, gone) = (Database::without_tables().await.0, "postgresql://admin_user@127.0.0.1:9/gone");
    let mut done = None;
    until(async || beside(&world, &new, &id, gone).map(|ended| done = Some(ended)).is_ok()).await;
    let (restored, said) = done.unwrap();
    assert_eq!((&restored["old"]["state"], &restored["loss"]), (&json!("unreadable"), &Value::Null));
    assert!(said.contains("could not be read") && said.contains("VALID AGAIN"), "{said}");
    assert_eq!(count(&new.client("postgres").await, "users").await, 1);
    let same = beside(&world, &world.database, &id, &world.database.owner_url()).unwrap_err();
    assert!(same.contains("is not empty"), "{same}");
    let mut same = world.command(&["restore", &id, "--replace", "--old", &world.database.owner_url()]);
    let same = result(&same.output().unwrap()).unwrap_err();
    assert!(same.contains("--old names the database of DATABASE_URL"), "{same}");
}

#[tokio::test]
async fn a_restore_in_place_that_is_killed_still_knows_what_was_revoked() {
    let world = World::new().await;
    create_organization(&world.database, "ada@example.com");
    world.much().await;
    let owner = world.database.client("postgres").await;
    let source =
        "INSERT INTO analytics_sources (org_id, id, name, write_key, allowed_origins, enabled, created_at, updated_at)
        SELECT id, gen_random_uuid(), 'leaked', 'leaked', '{}', true, now(), now() FROM organizations";
    owner.batch_execute(source).await.unwrap();
    let id = world.create();
    owner.batch_execute("DELETE FROM analytics_sources").await.unwrap();
    drop(owner);
    world.kill_while_it_loads(&["restore", &id, "--replace"]).await;
    let mut restored = Value::Null;
    until(async || world.run(&["restore", &id, "--replace"]).map(|done| restored = done).is_ok()).await;
    assert_eq!(
        (&restored["old"]["state"], &restored["revoked"]),
        (&json!("replaced"), &json!({ "analytics_sources": 1 }))
    );
    let owner = world.database.client("postgres").await;
    assert_eq!([count(&owner, "analytics_sources").await, count(&owner, "much").await], [0, 600_000]);
    let kept = fs::read_dir(world.folder.path().join(&id)).unwrap();
    let kept: Vec<_> = kept.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(kept.iter().all(|name| !name.starts_with("since-")), "{kept:?}");
}

#[tokio::test]
async fn an_organization_that_was_handed_over_keeps_its_owner_and_damage_is_no_revocation() {
    let world = World::new().await;
    for person in ["ada", "bob"] {
        create_organization(&world.database, &format!("{person}@example.com"));
    }
    let owner = world.database.client("postgres").await;
    owner.batch_execute(JOIN).await.unwrap();
    let many = "INSERT INTO users (id, email, email_key, created_at, updated_at)
        SELECT gen_random_uuid(), n::text, n::text, now(), now() FROM generate_series(1, 30) n";
    owner.batch_execute(many).await.unwrap();
    let id = world.create();
    owner.batch_execute(&of("bob", "UPDATE memberships SET role = 'owner'")).await.unwrap();
    owner.batch_execute(&of("ada", "UPDATE memberships SET role = 'viewer'")).await.unwrap();
    owner.batch_execute("DELETE FROM users WHERE email NOT LIKE '%@%'").await.unwrap();
    drop(owner);
    let mut restored = Value::Null;
    until(async || world.run(&["restore", &id, "--replace"]).map(|done| restored = done).is_ok()).await;
    assert_eq!((&restored["revoked"], &restored["left"]), (&json!({ "memberships": 1 }), &json!({ "users": 30 })));
    assert_eq!(restored["without_owner"], json!([]));
    let owner = world.database.client("postgres").await;
    assert_eq!(count(&owner, &format!("{MEMBERS} AND role = 'owner' AND email LIKE 'bob@%'")).await, 1);
    assert_eq!(count(&owner, "users WHERE status = 'active'").await, 32);
}
