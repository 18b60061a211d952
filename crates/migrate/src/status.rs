//! What is applied and what is not, without writing anything.

use crate::{
    Files,
    table::{Record, records},
};
use std::fmt;
use tokio_postgres::{Client, Error};

/// A file, and whether it is in the database.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Entry {
    /// The file's name.
    pub name: String,
    /// Where it stands.
    pub state: State,
    /// SHA-256 of the file's normalised text as it is here, in hexadecimal; none of a missing file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_checksum: Option<String>,
    /// What the database says about it; nothing of a pending file.
    #[serde(flatten)]
    pub record: Option<Record>,
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
    let mut records = records(client).await?;
    let mut entries: Vec<_> = files
        .in_order()
        .iter()
        .map(|file| {
            let (record, checksum) = (records.remove(&file.name), file.checksum());
            let state = match &record {
                None => State::Pending,
                Some(record) if record.checksum == checksum => State::Applied,
                Some(_) => State::Changed,
            };
            Entry { name: file.name.clone(), state, file_checksum: Some(checksum), record }
        })
        .collect();
    let missing = |(name, record)| Entry { name, state: State::Missing, file_checksum: None, record: Some(record) };
    entries.extend(records.into_iter().map(missing));
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}
