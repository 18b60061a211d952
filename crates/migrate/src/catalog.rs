//! What the live database says about the relations that a statement names.

use crate::locks::{Along, Mode, Named};
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
}

/// Whether a table exists already, and what else is locked with it.
const RESOLVE: &str = "
    WITH RECURSIVE named AS (
        SELECT to_regclass($1)::oid AS oid WHERE current_setting('server_version_num')::int / 10000 >= $7
    ), children AS (
        SELECT oid, 0 AS depth FROM named
        UNION ALL
        SELECT i.inhrelid, depth + 1 FROM pg_inherits i JOIN children c ON i.inhparent = c.oid
    ), referencing AS (
        SELECT oid FROM children
        UNION
        SELECT k.conrelid FROM pg_constraint k JOIN referencing r ON k.confrelid = r.oid AND k.contype = 'f'
    ), read AS (
        SELECT oid FROM named
        UNION
        SELECT d.refobjid FROM read JOIN pg_rewrite w ON w.ev_class = read.oid
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
    ), meant AS (
        SELECT oid, 'named' AS how FROM named
        UNION ALL SELECT oid, 'child' FROM children WHERE $2 AND depth > 0
        UNION ALL SELECT confrelid, 'other' FROM pg_constraint WHERE $3 AND contype = 'f' AND conrelid IN (SELECT oid FROM named)
        UNION ALL SELECT oid, 'child' FROM referencing WHERE $4
        UNION ALL SELECT oid, 'read' FROM read WHERE $5
        UNION ALL SELECT indrelid, 'other' FROM pg_index WHERE $6 AND indexrelid IN (SELECT oid FROM named)
    )
    SELECT DISTINCT c.oid::regclass::text, how, CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END,
        CASE WHEN c.relkind IN ('r', 'm', 't') THEN pg_total_relation_size(c.oid) ELSE 0 END
    FROM meant JOIN pg_class c ON c.oid = meant.oid";

/// The locks on what exists, the strongest of each relation; what is not there yet nobody waits for.
pub(crate) async fn resolve(client: &Client, locks: &[Named]) -> Result<Vec<Locked>, Error> {
    let mut found: BTreeMap<String, Locked> = BTreeMap::new();
    for Named { relation, mode, along, since } in locks {
        let children = !matches!(along, Along::Nobody | Along::TableOfIndex(_) | Along::OfView);
        let (keys, back) = (matches!(along, Along::Referenced(_)), *along == Along::Referencing);
        let (view, index) = (*along == Along::OfView, matches!(along, Along::TableOfIndex(_)));
        let rows = client.query(RESOLVE, &[relation, &children, &keys, &back, &view, &index, since]).await?;
        for row in rows {
            let (name, how): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let mode = match (how.as_str(), along) {
                ("other", Along::Referenced(mode) | Along::TableOfIndex(mode)) => *mode,
                ("child", Along::ChildrenRead) => Mode::AccessShare,
                ("read", _) => Mode::AccessShare.max(if *mode == Mode::RowShare { *mode } else { Mode::AccessShare }),
                _ => *mode,
            };
            let locked = Locked { relation: name.clone(), mode, rows: row.try_get(2)?, bytes: row.try_get(3)? };
            let known = found.entry(name).or_insert(locked);
            known.mode = known.mode.max(mode);
        }
    }
    Ok(found.into_values().collect())
}
