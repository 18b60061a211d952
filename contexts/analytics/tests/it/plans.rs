//! Lists and trends are answered by indexes, whatever the number of rows.

use crate::world::World;
use serde_json::json;

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
    let open = "BEGIN; SET LOCAL ROLE eap_tenant; SET LOCAL app.org_id = '00000000-0000-0000-0000-000000000001'; SET LOCAL plan_cache_mode = force_custom_plan";
    tenant.batch_execute(open).await.unwrap();
    let org = "'00000000-0000-0000-0000-000000000001'::uuid";
    let (far, last) = ("now() + interval '1 hour'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid");
    let place = format!(
        "e.received_at <= {far} AND (e.received_at, e.id) < ({far}, {last}) ORDER BY e.received_at DESC, e.id DESC LIMIT 51"
    );
    let columns = "e.id, n.kind, n.name FROM analytics_events e JOIN analytics_names n ON n.org_id = e.org_id AND n.id = e.name_id";
    let hours = "hour >= now() - interval '1 day' AND hour < now() GROUP BY 1 ORDER BY 1";
    let questions = [
        format!("SELECT {columns} WHERE e.org_id = {org} AND {place}"),
        format!("SELECT {columns} WHERE e.org_id = {org} AND e.name_id = 3 AND {place}"),
        format!("SELECT {columns} WHERE e.org_id = {org} AND e.user_id = 'u3' AND {place}"),
        format!(
            "SELECT date_trunc('hour', hour, 'UTC'), sum(events) FROM analytics_hourly WHERE org_id = {org} AND name_id = 3 AND {hours}"
        ),
        format!(
            "SELECT date_trunc('hour', hour, 'UTC'), count(DISTINCT person) FROM analytics_hourly_people WHERE org_id = {org} AND name_id = 3 AND {hours}"
        ),
    ];
    for question in questions {
        let rows = tenant
            .query(&format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) {question}"), &[])
            .await
            .unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let read =
            plan.iter().filter(|line| line.contains("analytics_") && line.contains("Scan") && !line.contains("names"));
        let rows_of =
            |line: &String| line.split("rows=").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<f64>().ok());
        let most = read.filter_map(rows_of).fold(0.0, f64::max);
        assert!(most <= 60.0, "{most} rows read:\n{}", plan.join("\n"));
    }
}
