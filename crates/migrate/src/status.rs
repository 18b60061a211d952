//! What is applied and what is not, without writing anything.

use crate::Files;
use std::{collections::BTreeMap, fmt};
use tokio_postgres::{Client, Error, error::SqlState};

/// A file, and whether it is in the database.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Entry {
    /// The file's name.
    pub name: String,
    /// Where it stands.
    pub state: State,
}

/// Where a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// In the database, as it is here.
    Applied,
    /// Not yet in the database.
    Pending,
    /// In the database, but the file has another text now.
    Changed,
    /// In the database, but there is no such file here.
    Missing,
}

/// As the runbook prints it: `✓ 20250101_create_users_table.sql (applied)`.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mark, word) = match self.state {
            State::Applied => ("✓", "applied"),
            State::Pending => ("✗", "pending"),
            State::Changed => ("!", "changed"),
            State::Missing => ("!", "missing"),
        };
        write!(f, "{mark} {} ({word})", self.name)
    }
}

/// Every file of the folder and of the database, in order. Works for a login that may only read the table.
pub async fn status(client: &Client, files: &Files) -> Result<Vec<Entry>, Error> {
    let mut applied = applied(client).await?;
    let mut entries: Vec<_> = files
        .in_order()
        .iter()
        .map(|file| {
            let state = match applied.remove(&file.name) {
                None => State::Pending,
                Some(checksum) if checksum == file.checksum() => State::Applied,
                Some(_) => State::Changed,
            };
            Entry { name: file.name.clone(), state }
        })
        .collect();
    entries.extend(applied.into_keys().map(|name| Entry { name, state: State::Missing }));
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// Names and checksums; a table that does not exist yet is empty.
pub(crate) async fn applied(client: &Client) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    match client.query("SELECT name, checksum FROM _migrations", &[]).await {
        Ok(rows) => rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect(),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}
