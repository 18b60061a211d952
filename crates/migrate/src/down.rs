//! `down`: the newest file is undone by its `.down.sql`.

use crate::{
    Files, Place, State, UpError,
    patience::Patience,
    proof::{self, Trust},
    session,
    status::status,
};
use std::collections::BTreeMap;
use tokio_postgres::{Client, Error};

/// Undoes the newest applied file, in one transaction with its record. Refused when it has no `.down.sql`, when nothing
/// proves that this leads back to what was before, and when a table that it drops has rows, unless `lose_rows` says that a
/// backup has them.
pub async fn down(
    client: &Client,
    files: &Files,
    name: &str,
    trust: Trust<'_>,
    lose_rows: bool,
) -> Result<(), UpError> {
    session::begin(client, None).await?;
    let done = async {
        undoing(client, files, name).await?;
        proof::prove(client, files, name, trust).await?;
        undo(client, files, name, lose_rows).await
    }
    .await;
    session::end(client, done).await
}

/// What undoes the file, when it may be undone now.
async fn undoing<'a>(client: &Client, files: &'a Files, name: &str) -> Result<&'a str, UpError> {
    let entries = status(client, files).await?;
    if let Some(entry) = entries.iter().find(|entry| matches!(entry.state, State::Changed | State::Missing)) {
        return Err(UpError::Drift(entry.to_string()));
    }
    let newest = entries.iter().rfind(|entry| entry.state == State::Applied).map(|entry| entry.name.as_str());
    if newest != Some(name) {
        return Err(UpError::NotNewest { asked: name.to_owned(), newest: newest.unwrap_or("none").to_owned() });
    }
    let file = files.in_order().iter().find(|file| file.name == name);
    let down = file.and_then(|file| file.down.as_deref()).ok_or_else(|| UpError::NoDown(name.to_owned()))?;
    // It would end the transaction in which it is seen what is lost, and nothing could be taken back any more.
    match Place::of_transaction_control(down) {
        Some(place) => Err(UpError::TransactionControl { file: down_of(name), place }),
        None => Ok(down),
    }
}

/// The name of the file that undoes this one.
pub(crate) fn down_of(name: &str) -> String {
    format!("{}.down.sql", name.trim_end_matches(".sql"))
}

/// Undoes it, whoever proved what.
pub(crate) async fn undo(client: &Client, files: &Files, name: &str, lose_rows: bool) -> Result<(), UpError> {
    let down = undoing(client, files, name).await?;
    let mut patience = Patience::default();
    loop {
        match try_undo(client, name, down, lose_rows).await {
            Ok(lost) if lost.is_empty() => return Ok(()),
            Ok(lost) => return Err(UpError::LosesRows { file: name.to_owned(), lost }),
            Err(error) => {
                patience.roll_back(client, error).await?;
                patience.pause().await;
            }
        }
    }
}

/// What would be lost, when that is not allowed; nothing has happened then.
async fn try_undo(client: &Client, name: &str, down: &str, lose_rows: bool) -> Result<String, Error> {
    client.batch_execute(Patience::BEGIN).await?;
    let (before, deleted_before) = (full(client).await?, deleted(client).await?);
    client.batch_execute(down).await?;
    let (after, deleted) = (full(client).await?, deleted(client).await?);
    let gone = before.into_iter().filter(|known| !after.contains(known));
    let deleted = deleted.into_iter().filter_map(|(table, now)| {
        let rows = now - deleted_before.get(&table).copied().unwrap_or_default();
        (rows > 0).then(|| format!("{rows} rows of {table}"))
    });
    let lost: Vec<_> = gone.chain(deleted).collect();
    if !lost.is_empty() && !lose_rows {
        client.batch_execute("ROLLBACK").await?;
        return Ok(lost.join(", "));
    }
    client.batch_execute("RESET ALL; RESET ROLE").await?;
    client.execute("DELETE FROM _migrations WHERE name = $1", &[&name]).await?;
    client.batch_execute("COMMIT").await?;
    Ok(String::new())
}

/// Tables of people, in whatever schema.
const TABLES: &str =
    "c.relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema')
        OR nspname ~ '^pg_(toast|temp)') AND c.relname NOT LIKE '\\_migration%'";

/// Every column that holds a value, and so every table that holds a row; `table.column`.
async fn full(client: &Client) -> Result<Vec<String>, Error> {
    let columns = format!(
        "SELECT c.oid::regclass::text, quote_ident(attname) FROM pg_class c JOIN pg_attribute ON attrelid = c.oid
        WHERE {TABLES} AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped ORDER BY 1, 2"
    );
    let mut full = Vec::new();
    for row in client.query(&columns, &[]).await? {
        let (table, column): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let holds = format!("SELECT EXISTS (SELECT FROM {table} WHERE {column} IS NOT NULL)");
        if client.query_one(&holds, &[]).await?.try_get(0)? {
            full.push(format!("{table}.{column}"));
        }
    }
    Ok(full)
}

/// How many rows of each table this session has deleted so far. To count what is left would be to read all of them.
async fn deleted(client: &Client) -> Result<BTreeMap<String, i64>, Error> {
    let deleted = format!(
        "SELECT relid::regclass::text, n_tup_del FROM pg_stat_xact_user_tables JOIN pg_class c ON c.oid = relid WHERE {TABLES}"
    );
    client.query(&deleted, &[]).await?.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
