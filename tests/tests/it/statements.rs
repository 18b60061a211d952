//! Every statement of the code fits the schema: parameters, columns, and what may be NULL.

use db::Sql;
use testing::Database;

/// All statements there are.
pub(crate) fn all() -> Vec<&'static Sql> {
    let contexts = [
        analytics::STATEMENTS,
        api::STATEMENTS,
        audit::STATEMENTS,
        db::STATEMENTS,
        events::STATEMENTS,
        identity::STATEMENTS,
        orgs::STATEMENTS,
        resources::STATEMENTS,
        webhooks::STATEMENTS,
        platform::STATEMENTS,
    ];
    contexts.iter().flat_map(|files| files.iter()).flat_map(|file| file.iter()).collect()
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    let client = Database::new().await.client("admin_user").await;
    let mut wrong = Vec::new();
    let statements = all();
    assert!(statements.len() > 60, "only {} statements", statements.len());
    for sql in statements {
        let name = sql.name;
        let statement = match client.prepare(sql.text).await {
            Ok(statement) => statement,
            Err(error) => {
                wrong.push(format!(
                    "{name}: {}",
                    error.as_db_error().map_or_else(String::new, |db| db.message().to_owned())
                ));
                continue;
            }
        };
        let takes_null = match (sql.check)(&statement) {
            Ok(takes_null) => takes_null,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        for (column, takes_null) in statement.columns().iter().zip(takes_null) {
            let (Some(table), Some(number)) = (column.table_oid(), column.column_id()) else { continue };
            let of = "SELECT attnotnull FROM pg_attribute WHERE attrelid = $1 AND attnum = $2";
            let not_null: bool = client.query_one(of, &[&table, &number]).await.unwrap().get(0);
            // Their WHERE asks for the partial index, whose condition is that the value is there.
            let indexed = name.contains("resource_values::") && column.name() == "value";
            if !not_null && !takes_null && !indexed {
                wrong.push(format!("{name}: {} may be NULL", column.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
