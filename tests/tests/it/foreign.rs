//! Every statement that runs for an organization or a person, run for another one with the first one's ids and names:
//! it reads and changes nothing. What HTTP hides, row level security must hold on its own.

use crate::statements;
use db::Sql;
use reqwest::Method;
use serde_json::json;
use std::fmt::Write;
use testing::Database;
use tests::{Person, TestApp, send};
use tokio_postgres::{Client, SimpleQueryMessage};
use types::{DeliveryId, EndpointId, MessageId, OrgId, Role, UserId};

/// What the victims have: an organization with everything in it.
struct World {
    org: String,
    user: String,
    resource: String,
    resource_type: String,
    source: String,
    session: String,
    endpoint: String,
    message: String,
    delivery: String,
    key_digest: String,
    job: String,
    event: String,
}

/// Whose rows are in sight.
enum Scope {
    Tenant(String),
    Person(String),
}

async fn one(client: &Client, sql: &str) -> String {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

impl World {
    async fn of(app: &TestApp, alice: &Person) -> Self {
        let bob = app.member(alice, "bob", Role::Member).await;
        alice.note_type().await;
        let note = json!({ "type": "note", "document": { "title": "secret of alice", "priority": 1 } });
        let create = alice.request(Method::POST, "/v1/resources").header("idempotency-key", "first").json(&note);
        assert_eq!(send(create).await.status, 201);
        app.many_notes(alice).await;
        app.first_entry(alice).await;
        let (_, key) = alice.source().await;
        let event = json!({ "event": "note", "userId": "user of alice", "properties": { "of": "secret of alice" } });
        let track = app.request(Method::POST, "/v1/track").basic_auth(key, Some("")).json(&event);
        assert_eq!(send(track).await.status, 200);
        let endpoint = alice.endpoint("https://alice.example.com/hooks").await;
        let tested = alice.post(&format!("/v1/webhooks/endpoints/{endpoint}/test"), json!({})).await;
        assert_eq!(tested.status, 200, "{tested:?}");
        let delivery: DeliveryId = tested.body["id"].as_str().unwrap().parse().unwrap();
        let message: MessageId = tested.body["webhook_id"].as_str().unwrap().parse().unwrap();
        let owner = app.database.client("admin_user").await;
        Self {
            org: alice.org.parse::<OrgId>().unwrap().0.to_string(),
            user: bob.id.parse::<UserId>().unwrap().0.to_string(),
            resource: one(&owner, "SELECT id::text FROM resources ORDER BY created_at LIMIT 1").await,
            resource_type: one(&owner, "SELECT id::text FROM resource_types").await,
            source: one(&owner, "SELECT id::text FROM analytics_sources").await,
            session: one(
                &owner,
                "SELECT s.id::text FROM sessions s JOIN users u ON u.id = user_id WHERE u.name = 'bob'",
            )
            .await,
            job: one(&owner, "SELECT id::text FROM jobs").await,
            event: one(&owner, "SELECT id::text FROM events WHERE kind = 'organization.created' ORDER BY at LIMIT 1")
                .await,
            endpoint: endpoint.parse::<EndpointId>().unwrap().0.to_string(),
            message: message.0.to_string(),
            delivery: delivery.0.to_string(),
            key_digest: one(&owner, "SELECT key_digest::text FROM idempotency_keys").await,
        }
    }

    /// What a parameter is given: the victims' own, or what includes everything.
    fn value(&self, name: &str, ty: &str) -> String {
        let first = matches!(name, "after" | "after_key" | "after_user" | "from" | "since" | "low" | "low_id" | "but");
        let last = matches!(name, "until" | "high" | "high_id" | "before");
        let edge = |low: &str, inner: &str, high: &str| {
            (if first {
                low
            } else if last {
                high
            } else {
                inner
            })
            .to_owned()
        };
        let id =
            |inner: &str| edge("00000000-0000-0000-0000-000000000000", inner, "ffffffff-ffff-ffff-ffff-ffffffffffff");
        match &*ty.replace([' ', '&'], "").replace("Option<", "").replace('>', "") {
            "OrgId" => self.org.clone(),
            "UserId" => id(&self.user),
            "ResourceId" => id(&self.resource),
            "ResourceTypeId" => id(&self.resource_type),
            "SourceId" => id(&self.source),
            "SessionId" => id(&self.session),
            "EndpointId" => id(&self.endpoint),
            "MessageId" => id(&self.message),
            "DeliveryId" => id(&self.delivery),
            "Uuid" if name == "member" => self.user.clone(),
            "Uuid" => self.session.clone(),
            "str" | "String" => edge(
                "",
                match name {
                    "name" => "note",
                    "field" => "priority",
                    "status" => "active",
                    "role" => "viewer",
                    "kind" => "track",
                    "interval" => "day",
                    "user" => "user of alice",
                    "principal" => &self.user,
                    _ => "x",
                },
                "\u{10ffff}",
            ),
            "i64" if name == "before" => i64::MAX.to_string(),
            "i64" if name.contains("limit") => "1000".to_owned(),
            "bool" => "true".to_owned(),
            "i32" | "i64" => "1".to_owned(),
            "f64" => edge("-1e300", "1", "1e300"),
            "Timestamp" => edge("2000-01-01", "2030-01-01", "2100-01-01"),
            "Value" if name == "indexed" => "[]".to_owned(),
            "Value" => "{}".to_owned(),
            "[u8]" => self.key_digest.clone(),
            array if array.starts_with('[') => {
                let one = self.value(name.trim_end_matches('s'), &array[1..array.len() - 1]);
                let one = if array == "[Value]" { "{}" } else { &one };
                format!("{{\"{}\"}}", one.replace('\\', "\\\\").replace('"', "\\\""))
            }
            "JobId" => self.job.clone(),
            "EventId" => self.event.clone(),
            "RequestId" => self.resource.clone(),
            other => panic!("teach this test a value of type {other} (parameter {name})"),
        }
    }

    /// Every row of every table that names the victims, as one text.
    async fn rows(&self, database: &Database) -> String {
        let postgres = database.client("postgres").await;
        let tables = "SELECT c.relname::text FROM pg_class c WHERE relnamespace = 'public'::regnamespace
                      AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1";
        let mut text = String::new();
        for table in postgres.query(tables, &[]).await.unwrap() {
            let table: String = table.get(0);
            let ids = [
                &self.org,
                &self.user,
                &self.resource,
                &self.resource_type,
                &self.source,
                &self.session,
                &self.endpoint,
                &self.job,
                &self.event,
            ];
            let condition = ids.map(|id| format!("t::text LIKE '%{id}%'")).join(" OR ");
            let rows = format!(
                "SELECT coalesce(string_agg(t::text, ';' ORDER BY t::text), '') FROM {table} t WHERE {condition}"
            );
            let _ = writeln!(text, "{table}: {}", one(&postgres, &rows).await);
        }
        text
    }
}

/// Runs a statement with the victims' values; what came back, as text.
async fn run(client: &Client, sql: &Sql, world: &World, scope: &Scope, end: &str) -> Result<String, String> {
    let set = match scope {
        Scope::Tenant(org) => format!("SET LOCAL ROLE eap_tenant; SET LOCAL app.org_id = '{org}'"),
        Scope::Person(user) => format!("SET LOCAL ROLE eap_person; SET LOCAL app.user_id = '{user}'"),
    };
    let values = sql.parameters.iter().map(|(name, ty)| format!("'{}'", world.value(name, ty).replace('\'', "''")));
    let values = values.collect::<Vec<_>>().join(", ");
    let call = if values.is_empty() { "EXECUTE s".to_owned() } else { format!("EXECUTE s({values})") };
    let whole = format!("BEGIN; {set}; PREPARE s AS {}; {call}; {end}; DEALLOCATE s", sql.text);
    let answer = client.simple_query(&whole).await;
    match answer {
        Ok(messages) => Ok(messages.iter().map(shown).collect()),
        Err(error) => {
            client.simple_query("ROLLBACK").await.unwrap();
            let _ = client.simple_query("DEALLOCATE s").await;
            let db = error.as_db_error().unwrap();
            Err(format!("{} {}", db.code().code(), db.message()))
        }
    }
}

fn shown(message: &SimpleQueryMessage) -> String {
    let SimpleQueryMessage::Row(row) = message else { return String::new() };
    (0..row.len()).map(|column| row.get(column).unwrap_or_default()).collect::<Vec<_>>().join("|")
}

#[tokio::test]
async fn every_statement_run_for_others_with_ones_ids_reads_and_changes_nothing() {
    let app = TestApp::new().await;
    let (alice, mallory) = (app.owner("alice").await, app.owner("mallory").await);
    let world = World::of(&app, &alice).await;
    let mallory = (mallory.org.parse::<OrgId>().unwrap().0, mallory.id.parse::<UserId>().unwrap().0);
    let database = app.database.clone();
    // The log of events is written later than the changes: without processes nothing moves meanwhile.
    app.stop().await;
    let before = world.rows(&database).await;
    let client = database.client("api_platform_app").await;
    let foreign = [Scope::Tenant(mallory.0.to_string()), Scope::Person(mallory.1.to_string())];
    let own = [Scope::Tenant(world.org.clone()), Scope::Person(world.user.clone())];
    let theirs = [
        &*world.org,
        &world.user,
        &world.resource,
        &world.resource_type,
        &world.session,
        &world.job,
        &world.event,
        &world.endpoint,
        "secret of alice",
    ];
    let (mut ran, mut seen_by_own, mut leaks) = (0, 0, vec![]);
    for sql in statements::all() {
        let scope = sql.scope.rsplit("::").next().unwrap().trim();
        for i in 0..2 {
            let applies = matches!((scope, i), ("OrgRead" | "OrgTx", 0) | ("PersonTx", 1) | ("Tx", _));
            if !applies {
                continue;
            }
            ran += 1;
            let name = |answer: &str| theirs.iter().any(|one| answer.contains(one));
            match run(&client, sql, &world, &foreign[i], "COMMIT").await {
                Ok(answer) if name(&answer) => leaks.push(format!("{} reads {answer}", sql.name)),
                // Refused by a policy or a grant, or by a row that is not in sight.
                Err(error) if !["42501", "23503"].iter().any(|code| error.starts_with(code)) => {
                    leaks.push(format!("{}: {error}", sql.name));
                }
                _ => {}
            }
            let answer = run(&client, sql, &world, &own[i], "ROLLBACK").await;
            seen_by_own += usize::from(answer.is_ok_and(|answer| name(&answer)));
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
    assert_eq!(world.rows(&database).await, before);
    assert!(
        ran > 40 && seen_by_own > 20,
        "of {ran} statements only {seen_by_own} see their own: values that find nothing"
    );
}
