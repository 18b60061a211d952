//! How far the standbys are behind.

use std::{fmt, time::Duration};
use tokio_postgres::{Client, Error};

/// A standby that stands still keeps reporting its last times; what it has not replayed grows all the same. So much may
/// be on its way, four segments of the log.
const BYTES: i64 = 64 << 20;

/// What can be said of the standbys.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Lag {
    /// None is connected, or all keep up.
    Within,
    /// The one that is furthest behind.
    Behind(Behind),
    /// There are standbys, and this login may not see how far they are.
    Unseen,
}

/// A standby that does not keep up.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Behind {
    /// Its name, or address.
    pub standby: String,
    /// How long ago it was where the primary is now, as far as is known.
    pub seconds: f64,
    /// What it has not replayed yet.
    pub bytes: i64,
}

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "standby {} is {:.1} s and {} kB behind", self.standby, self.seconds, self.bytes / 1024)
    }
}

/// How to let the owner see it.
pub(crate) const UNSEEN: &str = "standbys are connected, and this login may not see how far they are behind: as a superuser, `GRANT pg_read_all_stats TO admin_user`";

/// Asks the primary. A base backup is no standby; who is not told the state of one is told nothing of it.
pub(crate) async fn beyond(client: &Client, most: Duration) -> Result<Lag, Error> {
    let standbys = "SELECT state IS NULL, coalesce(nullif(application_name, ''), client_addr::text, pid::text),
            coalesce(extract(epoch FROM greatest(write_lag, flush_lag, replay_lag)), 0)::float8 AS seconds,
            coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)::bigint AS bytes
        FROM pg_stat_replication WHERE state IS NULL OR state IN ('catchup', 'streaming') ORDER BY seconds DESC, bytes DESC";
    for row in client.query(standbys, &[]).await? {
        if row.try_get(0)? {
            return Ok(Lag::Unseen);
        }
        let behind = Behind { standby: row.try_get(1)?, seconds: row.try_get(2)?, bytes: row.try_get(3)? };
        if behind.seconds > most.as_secs_f64() || behind.bytes > BYTES {
            return Ok(Lag::Behind(behind));
        }
    }
    Ok(Lag::Within)
}
