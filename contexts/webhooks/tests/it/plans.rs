//! What is asked often is answered by an index, whatever plan PostgreSQL settles on.

use db::Sql;
use std::fmt::Write;
use testing::Database;

const ROWS: &str = "
    INSERT INTO organizations (id, name, created_at, updated_at)
    SELECT ('00000000-0000-7000-8000-00000000000' || n)::uuid, 'org ' || n, now(), now() FROM generate_series(1, 3) n;
    INSERT INTO endpoints (org_id, id, url, event_types, channels, sealed_secret, max_concurrency, created_at, updated_at)
    SELECT o.id, ('00000000-0000-7000-9000-00000000000' || n)::uuid, 'https://x', '{}', '{}', '', 10, now(), now()
    FROM organizations o, generate_series(1, 4) n;
    INSERT INTO messages (org_id, id, of_event, type, channels, body, created_at)
    SELECT o.id, gen_random_uuid(), false, 'a.b', '{}', '{}', now() FROM organizations o, generate_series(1, 1000);
    INSERT INTO delivery_queue (org_id, id, endpoint_id, message_id, due_at, created_at)
    SELECT e.org_id, gen_random_uuid(), e.id, m.id, now(), now() FROM endpoints e JOIN messages m ON m.org_id = e.org_id;
    INSERT INTO deliveries (org_id, id, endpoint_id, message_id, status, attempts, created_at, finished_at)
    SELECT org_id, gen_random_uuid(), endpoint_id, message_id,
        CASE WHEN random() < 0.01 THEN 'failed' ELSE 'delivered' END, 1, now(), now() FROM delivery_queue;
    INSERT INTO attempts (org_id, delivery_id, number, at, duration_ms, circuit)
    SELECT org_id, id, 1, now(), 1, 'closed' FROM deliveries;
    ANALYZE";
const ORG: &str = "'00000000-0000-7000-8000-000000000002'";
const ENDPOINT: &str = "'00000000-0000-7000-9000-000000000001'";
const LAST: &str = "'ffffffff-ffff-ffff-ffff-ffffffffffff'";
const NIL: &str = "'00000000-0000-0000-0000-000000000000'";

/// The statements that run again and again, with what they are executed with.
fn asked() -> Vec<(&'static Sql, String)> {
    let all = "ARRAY['delivered', 'failed']";
    let arguments = |name: &str| match name.replace("statements::", "").rsplit("store::").next()? {
        "deliveries::waiting" | "deliveries::failed" => Some(format!("{ORG}, {LAST}, 51")),
        "deliveries::waiting_of" | "deliveries::failed_of" => Some(format!("{ORG}, {LAST}, 51, {ENDPOINT}")),
        "deliveries::finished" => Some(format!("{ORG}, {LAST}, 51, {all}")),
        "deliveries::finished_of" => Some(format!("{ORG}, {LAST}, 51, {all}, {ENDPOINT}")),
        "deliveries::by_id" | "attempts::of_delivery" => Some(format!("{ORG}, {LAST}")),
        "delivery_queue::busy" => Some(format!("{NIL}, {NIL}, now(), 128")),
        "delivery_queue::claim" => {
            Some(format!("ARRAY[{ORG}::uuid], ARRAY[{ENDPOINT}::uuid], ARRAY[100], ARRAY[128], now(), 200, 5, 30"))
        }
        _ => None,
    };
    let statements = webhooks::STATEMENTS.iter().flat_map(|file| file.iter());
    statements.filter_map(|sql| Some((sql, arguments(sql.name)?))).collect()
}

#[tokio::test]
async fn whatever_is_asked_again_and_again_reads_no_table_of_deliveries_from_end_to_end() {
    let database = Database::new().await;
    database.client("postgres").await.batch_execute(ROWS).await.unwrap();
    let app = database.client("api_platform_app").await;
    let asked = asked();
    assert_eq!(asked.len(), 10);
    let mut scans = vec![];
    for (sql, arguments) in asked {
        let role = if sql.scope.contains("System") { "eap_system" } else { "eap_tenant" };
        for plans in ["force_custom_plan", "force_generic_plan"] {
            let explain = format!(
                "BEGIN; SET LOCAL ROLE {role}; SET LOCAL app.org_id = {ORG}; SET LOCAL plan_cache_mode = {plans};
                 PREPARE s AS {}; EXPLAIN (COSTS OFF) EXECUTE s({arguments}); ROLLBACK; DEALLOCATE s",
                sql.text
            );
            let mut plan = String::new();
            for message in app.simple_query(&explain).await.unwrap() {
                if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
                    let _ = writeln!(plan, "{}", row.get(0).unwrap());
                }
            }
            let reads_all = ["delivery_queue", "deliveries", "attempts", "messages"]
                .iter()
                .any(|table| plan.contains(&format!("Seq Scan on {table}")));
            if reads_all {
                scans.push(format!("{} with {plans}:\n{plan}", sql.name));
            }
        }
    }
    assert!(scans.is_empty(), "{}", scans.join("\n"));
}
