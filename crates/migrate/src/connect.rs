//! A session of its own for the migrator.

use std::time::Duration;
use tokio_postgres::{Client, error::SqlState};

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL cannot be used.
    #[error("DATABASE_URL cannot be used: {0}")]
    Url(String),
    /// There is a server, but not this database.
    #[error("{0}: make it, as a login that may create databases, with `CREATE DATABASE`")]
    NoDatabase(String),
    /// The server does not let us in, or is not there.
    #[error("cannot connect to the database: {0}")]
    Refused(String),
}

/// Connects; the connection ends when the client is dropped.
pub async fn connect(url: &str) -> Result<Client, ConnectError> {
    let (mut config, tls) = db::tls::parse(url).map_err(|error| match error {
        db::DbError::Settings(problem) => ConnectError::Url(problem),
        error => ConnectError::Url(error.to_string()),
    })?;
    config.connect_timeout(Duration::from_secs(5)).application_name("platform migrate");
    let (client, connection) = config.connect(tls).await.map_err(|error| match error.code() {
        Some(&SqlState::INVALID_CATALOG_NAME) => ConnectError::NoDatabase(described(&error)),
        _ => ConnectError::Refused(described(&error)),
    })?;
    tokio::spawn(connection);
    Ok(client)
}

/// The server's own words, or the cause behind the client's.
pub(crate) fn described(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => db.message().to_owned(),
        None => std::error::Error::source(error).map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}")),
    }
}
