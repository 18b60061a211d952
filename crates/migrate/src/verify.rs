//! Whether a database is what its files make of an empty one.

use crate::{Files, Options, State, UpError, schema, status::status, up};
use tokio_postgres::Client;

/// What differs, each as the statement that makes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The files make it, the database lacks it.
    pub missing: Vec<String>,
    /// The database has it, no file makes it.
    pub unknown: Vec<String>,
}

impl Difference {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unknown.is_empty()
    }
}

/// Applies the files that the database has to `scratch`, which must be empty, and compares.
pub async fn verify(client: &Client, scratch: &Client, files: &Files) -> Result<Difference, UpError> {
    let entries = status(client, files).await?;
    if let Some(entry) = entries.iter().find(|entry| matches!(entry.state, State::Changed | State::Missing)) {
        return Err(UpError::Drift(entry.to_string()));
    }
    if let Some(known) = schema::first(scratch).await? {
        return Err(UpError::NotEmpty(known));
    }
    let applied = |name: &str| entries.iter().any(|entry| entry.name == name && entry.state == State::Applied);
    up(scratch, &files.only(applied), &Options::default(), |_| {}).await?;
    let (is, should) = (schema::statements(client).await?, schema::statements(scratch).await?);
    Ok(Difference {
        missing: should.difference(&is).cloned().collect(),
        unknown: is.difference(&should).cloned().collect(),
    })
}
