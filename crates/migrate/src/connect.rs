//! A session of its own for the migrator.

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use std::{sync::Arc, time::Duration};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL cannot be read.
    #[error("DATABASE_URL cannot be read: {0}")]
    Url(#[source] tokio_postgres::Error),
    /// No TLS.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// The server does not let us in, or is not there.
    #[error("cannot connect to the database: {0}")]
    Refused(String),
}

/// Connects; the connection ends when the client is dropped.
pub async fn connect(url: &str) -> Result<Client, ConnectError> {
    let mut config: Config = url.parse().map_err(ConnectError::Url)?;
    config.connect_timeout(Duration::from_secs(5)).application_name("platform migrate");
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connected = config.connect(MakeRustlsConnect::new(tls)).await;
    let (client, connection) = connected.map_err(|error| ConnectError::Refused(described(&error)))?;
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
