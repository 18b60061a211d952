//! What holds for every table, function and policy there is.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use testing::Database;

async fn strings(sql: &str) -> Vec<String> {
    let postgres = Database::new().await.client("postgres").await;
    postgres.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn row_level_security_is_enabled_and_forced_everywhere_and_the_owner_sees_all() {
    let without = strings(
        "SELECT relname::text FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
         AND NOT (relrowsecurity AND relforcerowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid AND polname = 'owner_all'))",
    )
    .await;
    assert_eq!(without, [""; 0]);
}

#[tokio::test]
async fn partitions_are_reached_through_their_parent_only() {
    let granted = strings(
        "SELECT relname::text FROM pg_class WHERE relispartition AND relkind = 'r' AND relacl::text LIKE '%eap_%'",
    )
    .await;
    assert_eq!(granted, [""; 0]);
}

#[tokio::test]
async fn functions_with_the_owners_rights_pin_their_search_path_and_are_nobodys_by_default() {
    let definers = strings(
        "SELECT proname || ' ' || (array_to_string(proconfig, ',') LIKE '%search_path=%')::text || ' '
             || coalesce((SELECT bool_or(grantee = 0) FROM aclexplode(proacl)), true)::text
         FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef ORDER BY 1",
    )
    .await;
    assert_eq!(definers, ["drop_partitions true false", "ensure_partitions true false", "erase_synthetic true false"]);
}

#[tokio::test]
async fn there_is_no_view_that_runs_with_its_owners_rights() {
    let views = strings(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm')",
    )
    .await;
    assert_eq!(views, [""; 0]);
}

#[tokio::test]
async fn every_organizations_index_on_the_hot_tables_leads_with_the_organization() {
    let others = strings(
        "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
         WHERE c.relname IN ('resources', 'resource_values', 'resource_types') AND a.attname <> 'org_id'",
    )
    .await;
    assert_eq!(others, [""; 0]);
}
