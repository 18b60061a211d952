//! Lists and trends are answered by indexes, whatever the number of rows.

use crate::world::World;
use serde_json::json;
use tokio_postgres::SimpleQueryMessage;

#[tokio::test]
async fn lists_and_trends_read_what_they_show() {
    let world = World::new().await;
    world.source(json!([])).await;
    let postgres = world.database.client("postgres").await;
    let fill = "INSERT INTO analytics_names (org_id, kind, name) SELECT lpad('1', 32, '0')::uuid, 'track', 'n' || n FROM generate_series(1, 20) n;
        INSERT INTO analytics_events SELECT now() - n * interval '1 second', lpad((1 + n % 2)::text, 32, '0')::uuid, gen_random_uuid(), gen_random_uuid(),
            1 + n % 20, now(), n::text, 'u' || n % 100, NULL, NULL, '{}', '{}' FROM generate_series(1, 40000) n;
        INSERT INTO analytics_hourly SELECT lpad('1', 32, '0')::uuid, 1 + n % 20, date_trunc('hour', now()) - n / 20 * interval '1 hour', 1 FROM generate_series(1, 20000) n;
        INSERT INTO analytics_hourly_people SELECT lpad('1', 32, '0')::uuid, 1 + n % 20, date_trunc('hour', now()) - n / 20 * interval '1 hour', gen_random_uuid() FROM generate_series(1, 20000) n;
        ANALYZE;";
    postgres.batch_execute(fill).await.unwrap();
    let tenant = world.database.client("api_platform_app").await;
    let open = "BEGIN; SET LOCAL ROLE eap_tenant; SET LOCAL app.org_id = '00000000-0000-0000-0000-000000000001'";
    tenant.batch_execute(open).await.unwrap();
    let (org, last) = ("'00000000-0000-0000-0000-000000000001'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'");
    let far = "now() + interval '1 hour'";
    let day = "now() - interval '1 day', now()";
    let questions = [
        ("events::statements::latest", format!("{org}, {far}, {last}, 51")),
        ("events::statements::latest_of_name", format!("{org}, 3, {far}, {last}, 51")),
        ("events::statements::latest_of_user", format!("{org}, 'u4', {far}, {last}, 51")),
        ("events::statements::latest_of_both", format!("{org}, 'u4', 5, {far}, {last}, 51")),
        ("hourly::statements::events", format!("{org}, 3, {day}, 'hour'")),
        ("hourly::statements::uniques", format!("{org}, 3, {day}, 'hour'")),
    ];
    let statements: Vec<_> = analytics::STATEMENTS.iter().flat_map(|file| file.iter()).collect();
    for (name, arguments) in questions {
        let sql = statements.iter().find(|sql| sql.name.ends_with(&format!("::{name}"))).unwrap();
        // PostgreSQL takes either, after some executions.
        for mode in ["force_custom_plan", "force_generic_plan"] {
            let prepare = format!("SET LOCAL plan_cache_mode = {mode}; DEALLOCATE ALL; PREPARE s AS {}", sql.text);
            tenant.batch_execute(&prepare).await.unwrap();
            let explain = format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE s({arguments})");
            let plan = lines(&tenant, &explain).await;
            let most = plan.iter().filter_map(|line| read(line)).fold(0.0, f64::max);
            // Of one user's events, those of a name are looked for among all of the user's.
            let bound = if name.ends_with("both") { 400.0 } else { 60.0 };
            assert!((1.0..=bound).contains(&most), "{name}, {mode}: {most} rows read:\n{}", plan.join("\n"));
        }
    }
}

async fn lines(client: &tokio_postgres::Client, explain: &str) -> Vec<String> {
    let messages = client.simple_query(explain).await.unwrap();
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    rows.collect()
}

/// The rows that a scan of a large table read, also those that it threw away.
fn read(line: &str) -> Option<f64> {
    let is_scan = line.contains("analytics_") && line.contains("Scan") && !line.contains("names");
    let text = if is_scan { line.split("rows=").nth(1)? } else { line.split("Rows Removed by Filter: ").nth(1)? };
    text.split(' ').next()?.parse().ok()
}
