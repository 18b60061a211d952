//! What a restore loses: what was written after the backup, as the database that is given up still has it.

use crate::{BackupError, fingerprint, log::Log};
use migrate::Client;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What the database that is given up has; kept beside the backup until the restore is over.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// Rows by table.
    pub(crate) tables: BTreeMap<String, i64>,
    /// Events by type that the backup does not have.
    pub(crate) events: BTreeMap<String, i64>,
}

impl Facts {
    /// Of a database, beside a backup whose log ended there.
    pub(crate) async fn of(old: &Client, log: Option<&Log>) -> Result<Self, BackupError> {
        let tables = fingerprint::counts(old).await?;
        let mut events = BTreeMap::new();
        if let Some(Log { position, waiting }) = log {
            let later = "SELECT kind, count(*) FROM (SELECT kind, id FROM events WHERE position > $1
                UNION ALL SELECT kind, event_id FROM outbox) later WHERE id <> ALL ($2) GROUP BY kind";
            let rows = old.query(later, &[position, waiting]).await?;
            events = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        }
        Ok(Self { tables, events })
    }
}

/// What is lost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// Events by type.
    pub events: BTreeMap<String, i64>,
    /// The tables that have another number of rows.
    pub tables: BTreeMap<String, Rows>,
}

/// How many rows a table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rows {
    /// In the backup, or in what was made of it.
    pub restored: i64,
    /// In the database that is given up.
    pub old: i64,
}

impl Loss {
    pub(crate) fn between(restored: &BTreeMap<String, i64>, old: &Facts) -> Self {
        let names: BTreeSet<_> = restored.keys().chain(old.tables.keys()).collect();
        let count = |tables: &BTreeMap<String, i64>, name: &String| tables.get(name).copied().unwrap_or_default();
        let rows = |name: &String| Rows { restored: count(restored, name), old: count(&old.tables, name) };
        let tables = names.into_iter().map(|name| (name.clone(), rows(name)));
        let tables = tables.filter(|(_, rows)| rows.restored != rows.old).collect();
        Self { events: old.events.clone(), tables }
    }
}
