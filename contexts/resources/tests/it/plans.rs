//! Every list that can be asked for is answered by an index, whatever plan PostgreSQL settles on.

use db::Sql;
use testing::Database;

const ROWS: &str = "
    INSERT INTO organizations (id, name, created_at, updated_at)
    SELECT ('00000000-0000-7000-8000-00000000000' || n)::uuid, 'org ' || n, now(), now() FROM generate_series(1, 3) n;
    INSERT INTO resource_types (org_id, id, name, schema, indexed, created_at, updated_at)
    SELECT o.id, ('00000000-0000-7000-9000-00000000000' || n)::uuid, 'type' || n, '{}', '[]', now(), now()
    FROM organizations o, generate_series(1, 2) n;
    INSERT INTO resources (org_id, id, type_id, document, created_by, created_at, updated_at)
    SELECT org_id, gen_random_uuid(), id, jsonb_build_object('n', n, 'text', repeat('x', 200)), gen_random_uuid(), now(), now()
    FROM resource_types, generate_series(1, 2000) n;
    INSERT INTO resource_values (org_id, type_id, resource_id, field, text_value)
    SELECT org_id, type_id, id, 'text', 'v' || (document->>'n')::int % 100 FROM resources;
    INSERT INTO resource_values (org_id, type_id, resource_id, field, number_value)
    SELECT org_id, type_id, id, 'number', (document->>'n')::int % 100 FROM resources;
    INSERT INTO resource_values (org_id, type_id, resource_id, field, time_value)
    SELECT org_id, type_id, id, 'time', now() - (document->>'n')::int * interval '1 minute' FROM resources;
    ANALYZE";
const ORG: &str = "'00000000-0000-7000-8000-000000000002'";
const TYPE: &str = "'00000000-0000-7000-9000-000000000001'";
const LOW: &str = "'00000000-0000-0000-0000-000000000000'";
const HIGH: &str = "'ffffffff-ffff-ffff-ffff-ffffffffffff'";

/// The statements of lists, with what they are executed with: all values, a narrow range, one value.
fn lists() -> Vec<(&'static Sql, Vec<String>)> {
    let ranges = |column: &str| match column {
        "text" => [["''", "'w'"], ["'v10'", "'v20'"], ["'v7'", "'v7'"]],
        "number" => [["'-infinity'", "'infinity'"], ["10", "20"], ["7", "7"]],
        _ => [
            ["now() - interval '1 year'", "now()"],
            ["now() - interval '1 hour'", "now()"],
            ["now() - interval '5 minutes'", "now() - interval '5 minutes'"],
        ],
    };
    let arguments = |name: &str| match name.replace("statements::", "").strip_prefix("resources::store::") {
        Some("resources::of_type") => vec![format!("{ORG}, {TYPE}, {LOW}, 51")],
        Some("resources::of_type_descending") => vec![format!("{ORG}, {TYPE}, {HIGH}, 51")],
        Some("resources::of_org") => vec![format!("{ORG}, {LOW}, 51")],
        Some("resources::of_org_descending") => vec![format!("{ORG}, {HIGH}, 51")],
        Some("resource_types::list") => vec![format!("{ORG}, '', 51")],
        Some(name) if name.starts_with("resource_values::") && name.matches("::").count() == 2 => {
            let column = name.split("::").nth(1).unwrap();
            let execute = |[low, high]: [&str; 2]| {
                let ids = if name.contains("by_id") { format!("{LOW}, {HIGH}, ") } else { String::new() };
                format!("{ORG}, {TYPE}, 1, '{column}', {low}, {LOW}, {high}, {HIGH}, {ids}51")
            };
            ranges(column).map(execute).to_vec()
        }
        _ => vec![],
    };
    let all = resources::STATEMENTS.iter().copied().flatten();
    all.map(|sql| (sql, arguments(sql.name))).filter(|(_, arguments)| !arguments.is_empty()).collect()
}

#[tokio::test]
async fn every_list_is_answered_by_an_index_and_in_its_order() {
    let database = Database::new().await;
    database.client("postgres").await.batch_execute(ROWS).await.unwrap();
    let client = database.client("api_platform_app").await;
    client.batch_execute(&format!("SET ROLE eap_tenant; SET app.org_id = {ORG}")).await.unwrap();
    let lists = lists();
    assert_eq!(lists.len(), 17, "5 plain lists, 3 columns in 4 orders each");
    for (sql, executions) in lists {
        client.batch_execute(&format!("PREPARE list AS {}", sql.text)).await.unwrap();
        for (mode, arguments) in ["force_custom_plan", "force_generic_plan"]
            .iter()
            .flat_map(|mode| executions.iter().map(move |arguments| (mode, arguments)))
        {
            client.batch_execute(&format!("SET plan_cache_mode = {mode}")).await.unwrap();
            let rows = client.query(&format!("EXPLAIN EXECUTE list({arguments})"), &[]).await.unwrap();
            // An organization's types are few: PostgreSQL may read so small a table whole.
            let is_large = |line: &String| !line.contains("Seq Scan on resource_types");
            let plan: Vec<String> = rows.iter().map(|row| row.get(0)).filter(is_large).collect();
            let plan = plan.join("\n");
            let shape = format!("{} ({arguments}) {mode}:\n{plan}", sql.name);
            let is_small = sql.name.contains("resource_types");
            assert!(is_small || plan.contains("Index") && !plan.contains("Seq Scan"), "{shape}");
            // What PostgreSQL takes for a handful of rows it may sort; a whole list comes in the index's order.
            let is_whole = Some(arguments) == executions.first() && !sql.name.contains("by_id");
            assert!(is_small || !is_whole || !plan.contains("Sort"), "{shape}");
        }
        client.batch_execute("DEALLOCATE list").await.unwrap();
    }
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    let client = Database::new().await.client("postgres").await;
    for sql in resources::STATEMENTS.iter().copied().flatten() {
        let statement = client.prepare(sql.text).await.unwrap_or_else(|error| panic!("{}: {error:?}", sql.name));
        (sql.check)(&statement).unwrap_or_else(|fault| panic!("{}: {fault}", sql.name));
    }
}
