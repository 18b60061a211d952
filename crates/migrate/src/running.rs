//! The images that run now, which a contracting file must not leave behind.

use semver::Version;
use std::fmt;
use tokio_postgres::{Client, Error, error::SqlState};

/// A service that was seen within two minutes, or that somebody says will run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Running {
    /// Which service.
    pub service: String,
    /// Its version, as it says.
    pub version: String,
}

impl Running {
    /// A version that cannot be read says nothing of what its image can stand.
    pub(crate) fn is_older_than(&self, oldest: &Version) -> bool {
        self.version.parse::<Version>().map_or(true, |version| version < *oldest)
    }
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.service, self.version)
    }
}

/// Who runs by the table `instances`; nobody before that table exists.
pub async fn seen(client: &Client) -> Result<Vec<Running>, Error> {
    let running =
        "SELECT DISTINCT service, version FROM instances WHERE seen_at > now() - interval '2 minutes' ORDER BY 1, 2";
    let rows = match client.query(running, &[]).await {
        Err(error)
            if [Some(&SqlState::UNDEFINED_TABLE), Some(&SqlState::INSUFFICIENT_PRIVILEGE)].contains(&error.code()) =>
        {
            return Ok(Vec::new());
        }
        rows => rows?,
    };
    rows.iter().map(|row| Ok(Running { service: row.try_get(0)?, version: row.try_get(1)? })).collect()
}
