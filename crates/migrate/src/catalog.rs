//! What the live database says about the relations that a statement names.

mod along;
mod types;

use crate::locks::{Effect, Mode, Named, Work};
use std::collections::BTreeMap;
use tokio_postgres::{Client, Error};

/// A relation that a statement locks.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Locked {
    /// Its name, with the schema where it is not on the search path.
    pub relation: String,
    /// How it is locked.
    pub mode: Mode,
    /// Rows, as last estimated; none when nobody has counted yet, or it is not there yet.
    pub rows: Option<i64>,
    /// Its size with indexes; 0 when it is not there yet.
    pub bytes: i64,
    /// Whether its rows are read although nothing of the statement says so.
    #[serde(skip)]
    pub(crate) scanned: bool,
    /// Whether it may have rows: a partitioned table has none of its own.
    #[serde(skip)]
    pub(crate) has_rows: bool,
}

const SIZES: &str = ")
    SELECT c.oid::regclass::text, mode, scanned, CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END,
        CASE WHEN c.relkind IN ('r', 'm', 't') THEN pg_total_relation_size(c.oid) ELSE 0 END, c.relkind <> 'p'
    FROM meant JOIN pg_class c ON c.oid = rel AND c.relkind <> 'c'";

/// The locks on what exists, the strongest of each relation; what is not there yet nobody waits for.
pub(crate) async fn resolve(client: &Client, locks: &[Named]) -> Result<Vec<Locked>, Error> {
    let mut found: BTreeMap<String, Locked> = BTreeMap::new();
    for Named { relation, mode, along, since } in locks {
        let (also, part) = along::arguments(along);
        let sql = format!("{}{}{SIZES}", along::WITH, along::meant(along));
        for row in client.query(&sql, &[relation, since, &also, &part]).await? {
            let own: Option<&str> = row.try_get(1)?;
            let mode = own.and_then(Mode::of_name).unwrap_or(*mode);
            let relation: String = row.try_get(0)?;
            let locked = Locked {
                relation,
                mode,
                scanned: row.try_get(2)?,
                rows: row.try_get(3)?,
                bytes: row.try_get(4)?,
                has_rows: row.try_get(5)?,
            };
            let known = found.entry(locked.relation.clone()).or_insert_with(|| locked.clone());
            known.mode = known.mode.max(mode);
            known.scanned |= locked.scanned;
        }
    }
    Ok(found.into_values().collect())
}

/// What a statement does with the rows of what exists; `locks` are those that [`resolve`] found for it.
pub(crate) async fn work(client: &Client, effect: &Effect, locks: &[Locked]) -> Result<Work, Error> {
    let scans = locks.iter().any(|locked| locked.scanned);
    let mut work = effect.work.max(if scans { Work::Scan } else { Work::Catalog });
    for typed in &effect.typed {
        work = work.max(types::work(client, typed).await?);
    }
    let of_rows = [Work::Scan, Work::Rewrite].contains(&work);
    let without_rows = !locks.is_empty() && !locks.iter().any(|locked| locked.has_rows);
    Ok(if of_rows && without_rows { Work::Catalog } else { work })
}
