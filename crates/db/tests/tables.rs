//! The list of tables: each with who writes it, which scopes reach it and how long its rows stay. What the database says
//! of grants and uniqueness is read from it; together they are the page `docs/architecture/tables.md`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write;
use testing::{Client, Database};

/// A table.
struct Table {
    name: &'static str,
    /// The crate that writes it.
    writer: &'static str,
    scopes: &'static str,
    /// When rows go.
    stay: &'static str,
}

const fn table(name: &'static str, writer: &'static str, scopes: &'static str, stay: &'static str) -> Table {
    Table { name, writer, scopes, stay }
}

const FOR_GOOD: &str = "as long as the organization";
const EVENTS: &str = "for good; personal values can be erased";

/// Every table. A new one is added here, in its own commit.
const TABLES: &[Table] = &[
    table("_fence", "events", "system", "for good"),
    table("_migrations", "migrate", "system", "for good"),
    table("analytics_events", "analytics", "system tenant", FOR_GOOD),
    table("analytics_hourly", "analytics", "system tenant", FOR_GOOD),
    table("analytics_hourly_people", "analytics", "system tenant", FOR_GOOD),
    table("analytics_messages", "analytics", "system", "2 days"),
    table("analytics_names", "analytics", "system tenant", FOR_GOOD),
    table("analytics_sources", "analytics", "system tenant", FOR_GOOD),
    table("attempts", "webhooks", "system tenant", "30 days"),
    table("consumers", "events", "system", "for good"),
    table("credentials", "identity", "person system", "as long as the account"),
    table("deliveries", "webhooks", "system tenant", "30 days"),
    table("delivery_queue", "webhooks", "system tenant", "until delivered, given up, or 30 days"),
    table("endpoints", "webhooks", "system tenant", FOR_GOOD),
    table("event_personal", "events", "person system tenant", "until erased"),
    table("events", "events", "person system tenant", EVENTS),
    table("idempotency_keys", "api", "person system tenant", "24 hours"),
    table("instances", "platform", "system", "until the process ends, or a day"),
    table("invalidations", "api", "person system tenant", "an hour"),
    table("jobs", "api", "system tenant", "30 days after they end"),
    table("mail_jobs", "identity", "system", "until sent, or given up"),
    table("memberships", "orgs", "person system tenant", FOR_GOOD),
    table("messages", "webhooks", "system tenant", "31 days"),
    table("organizations", "orgs", "person system tenant", "for good; a synthetic one an hour"),
    table("outbox", "db", "person system tenant", "until sequenced"),
    table("pending_registrations", "identity", "system", "24 hours"),
    table("resource_types", "resources", "tenant", FOR_GOOD),
    table("resource_values", "resources", "tenant", "as long as the resource"),
    table("resources", "resources", "tenant", FOR_GOOD),
    table("sessions", "identity", "person system", "30 days after they end"),
    table("signing_keys", "identity", "system", "for good, retired ones too"),
    table("smoke_catches", "api", "system", "10 minutes"),
    table("users", "identity", "person system", "for good"),
];

const OF_TABLE: &str = "c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition";

async fn strings(client: &Client, sql: &str) -> Vec<String> {
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn every_table_is_on_the_list_with_the_scopes_that_its_grants_give() {
    let client = Database::new().await.client("postgres").await;
    let scopes = format!(
        "SELECT c.relname || ': ' || coalesce(string_agg(DISTINCT substr(a.grantee::regrole::text, 5), ' ' ORDER BY substr(a.grantee::regrole::text, 5)), '')
         FROM pg_class c LEFT JOIN LATERAL (
             SELECT grantee FROM aclexplode(c.relacl)
             UNION SELECT x.grantee FROM pg_attribute t, aclexplode(t.attacl) x WHERE t.attrelid = c.oid
         ) a ON a.grantee::regrole::text LIKE 'eap_%'
         WHERE {OF_TABLE} GROUP BY c.relname ORDER BY c.relname COLLATE \"C\""
    );
    let listed: Vec<_> = TABLES.iter().map(|table| format!("{}: {}", table.name, table.scopes)).collect();
    assert_eq!(strings(&client, &scopes).await, listed);
}

/// What a scope may do with a table, as in `tenant: select, insert`.
async fn grants(client: &Client, table: &str) -> String {
    let grants = format!(
        "SELECT substr(r::text, 5) || ': ' || lower(string_agg(p, ', ' ORDER BY array_position('{{SELECT,INSERT,UPDATE,DELETE}}', p)))
         FROM (SELECT DISTINCT a.grantee::regrole AS r, a.privilege_type AS p FROM pg_class c, LATERAL (
                 SELECT grantee, privilege_type FROM aclexplode(c.relacl)
                 UNION SELECT x.grantee, x.privilege_type FROM pg_attribute t, aclexplode(t.attacl) x WHERE t.attrelid = c.oid) a
             WHERE c.oid = '{table}'::regclass AND a.grantee::regrole::text LIKE 'eap_%') g GROUP BY r ORDER BY 1"
    );
    strings(client, &grants).await.join("; ")
}

/// What is unique, as in `(org_id, name) while not deleted`.
async fn uniqueness(client: &Client, table: &str) -> String {
    let unique = format!(
        "SELECT '(' || (SELECT string_agg(a.attname, ', ' ORDER BY k.n) FROM unnest(i.indkey) WITH ORDINALITY k(attnum, n)
                 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum) || ')'
             || CASE WHEN i.indpred IS NULL THEN '' ELSE ' while not deleted' END
         FROM pg_index i WHERE i.indrelid = '{table}'::regclass AND i.indisunique ORDER BY i.indisprimary DESC, 1"
    );
    strings(client, &unique).await.join("; ")
}

async fn page() -> String {
    let client = Database::new().await.client("postgres").await;
    let mut page = String::from(
        "# Tables\n\nEvery table has row level security, enabled and forced; a scope sees the rows that its policies give it. \
         Generated by a test from its list and the database: `UPDATE_PAGES=1 cargo xtask test the_page_of_tables`.\n\n\
         | table | written by | scopes and their grants | unique | soft delete | rows stay |\n|---|---|---|---|---|---|\n",
    );
    for Table { name, writer, stay, .. } in TABLES {
        let soft = format!(
            "SELECT CASE WHEN EXISTS (SELECT FROM pg_attribute WHERE attrelid = '{name}'::regclass AND attname = 'deleted_at')
             THEN 'yes' ELSE '' END"
        );
        let soft = strings(&client, &soft).await.concat();
        let (grants, unique) = (grants(&client, name).await, uniqueness(&client, name).await);
        let _ = writeln!(page, "| `{name}` | {writer} | {grants} | {unique} | {soft} | {stay} |");
    }
    page
}

#[tokio::test]
async fn the_page_of_tables_is_current() {
    testing::assert_page("docs/architecture/tables.md", &page().await, "the_page_of_tables");
}
