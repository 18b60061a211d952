//! One batch: its rows and its place, in one short transaction.

use super::Backfill;
use std::{
    error::Error as StdError,
    time::{Duration, Instant},
};
use tokio_postgres::{
    Client, Error, Statement,
    types::{Format, IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};

/// A row that somebody else has locked is not waited for long: the rows of this batch are locked meanwhile.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '500ms'; SET LOCAL statement_timeout = '5s'";

/// What a batch found.
#[derive(Debug)]
pub(super) enum Batch {
    /// So many rows, in so long.
    Walked(i64, Duration),
    /// There was nothing left: the backfill is done.
    Over,
    /// Somebody paused it.
    Paused(String),
}

/// What a batch writes about the pace.
pub(super) struct Told<'a> {
    pub(super) rows_per_second: f64,
    pub(super) slowed_by: Option<&'a str>,
}

/// A key's value, as PostgreSQL writes it.
#[derive(Debug)]
struct Text<'a>(&'a str);

impl ToSql for Text<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// The statements of a backfill, prepared in a session.
pub(super) struct Statements {
    change: Statement,
    first: Statement,
    next: Statement,
}

impl Statements {
    pub(super) async fn prepare(client: &Client, backfill: &Backfill) -> Result<Self, Error> {
        Ok(Self {
            change: client.prepare(&backfill.sql).await?,
            first: client.prepare(&range(backfill, false)).await?,
            next: client.prepare(&range(backfill, true)).await?,
        })
    }
}

/// Asks for the first and the last key of a batch, and for its rows: up to a key, at most so many, after another key.
fn range(backfill: &Backfill, after: bool) -> String {
    let Backfill { table, key, .. } = backfill;
    let columns = key.join(", ");
    let list = |from: usize| (from..from + key.len()).map(|it| format!("${it}")).collect::<Vec<_>>().join(", ");
    let after = if after { format!("AND ({columns}) > ({})", list(key.len() + 2)) } else { String::new() };
    let texts = key.iter().map(|column| format!("{column}::text")).collect::<Vec<_>>().join(", ");
    let (until, most) = (list(1), key.len() + 1);
    format!(
        "WITH batch AS MATERIALIZED (
            SELECT {columns}, row_number() OVER (ORDER BY {columns}) AS number FROM (
                SELECT {columns} FROM {table} WHERE ({columns}) <= ({until}) {after} ORDER BY {columns} LIMIT ${most}
            ) AS rows
        ), size AS (SELECT count(*) AS size FROM batch)
        SELECT ARRAY[{texts}], size FROM batch, size WHERE number IN (1, size) ORDER BY number"
    )
}

/// Runs one; after an error the transaction is still to be rolled back.
pub(super) async fn run(
    client: &Client,
    backfill: &Backfill,
    statements: &Statements,
    rows: i64,
    told: &Told<'_>,
) -> Result<Batch, Error> {
    let start = Instant::now();
    client.batch_execute(BEGIN).await?;
    let place = "SELECT reached, until, paused_by FROM _migration_backfills WHERE name = $1 FOR UPDATE";
    let place = client.query_one(place, &[&backfill.name]).await?;
    if let Some(by) = place.try_get(2)? {
        client.batch_execute("ROLLBACK").await?;
        return Ok(Batch::Paused(by));
    }
    let (reached, until): (Option<Vec<String>>, Vec<String>) = (place.try_get(0)?, place.try_get(1)?);
    let (until, after) = (texts(&until), reached.as_deref().map(texts));
    let mut parameters = parameters(&until);
    parameters.push(&rows);
    parameters.extend(after.iter().flatten().map(|text| text as &(dyn ToSql + Sync)));
    let range = if reached.is_none() { &statements.first } else { &statements.next };
    let ends = client.query(range, &parameters).await?;
    let (Some(first), Some(last)) = (ends.first(), ends.last()) else {
        let done = "UPDATE _migration_backfills SET done_at = clock_timestamp(), slowed_by = NULL WHERE name = $1";
        client.execute(done, &[&backfill.name]).await?;
        client.batch_execute("COMMIT").await?;
        return Ok(Batch::Over);
    };
    let (first, last): (Vec<String>, Vec<String>) = (first.try_get(0)?, last.try_get(0)?);
    let (from, to) = (texts(&first), texts(&last));
    let mut range = self::parameters(&from);
    range.extend(self::parameters(&to));
    let changed = i64::try_from(client.execute(&statements.change, &range).await?).unwrap_or(i64::MAX);
    let walked: i64 = ends[0].try_get(1)?;
    let moved = "UPDATE _migration_backfills SET reached = $2, walked = walked + $3, changed = changed + $4,
        batches = batches + 1, rows_per_second = $5, slowed_by = $6, updated_at = clock_timestamp() WHERE name = $1";
    let Told { rows_per_second, slowed_by } = told;
    client.execute(moved, &[&backfill.name, &last, &walked, &changed, rows_per_second, slowed_by]).await?;
    client.batch_execute("COMMIT").await?;
    Ok(Batch::Walked(walked, start.elapsed()))
}

fn texts(key: &[String]) -> Vec<Text<'_>> {
    key.iter().map(|value| Text(value)).collect()
}

fn parameters<'a>(key: &'a [Text<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    key.iter().map(|text| text as &(dyn ToSql + Sync)).collect()
}
