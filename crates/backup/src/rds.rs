//! Snapshots of Amazon RDS, and instances made of them, through the `aws` program and with the runbook's own lines (Step 3.4, and
//! rollback, option 3).

mod aws;
mod instance;
mod restore;

pub use instance::Origin;
pub use restore::restore;

use crate::BackupError;
use aws::{POLL, patiently, refusal};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cmp::Reverse;
use tokio::time;
use types::Clock;

/// A snapshot of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// As in `prod-db-snapshot-20250117-140000`.
    #[serde(alias = "DBSnapshotIdentifier")]
    pub id: String,
    /// `creating`, `available`, …
    #[serde(alias = "Status")]
    pub status: String,
    /// How much of it is done.
    #[serde(alias = "PercentProgress", default)]
    pub percent: i64,
    /// When it was begun, as Amazon writes it; none: it has not.
    #[serde(alias = "SnapshotCreateTime", default)]
    pub created_at: Option<String>,
}

/// The id of a snapshot that is made now, as in `prod-db-snapshot-20250117-140000`.
pub fn snapshot_id(instance: &str, clock: &Clock) -> String {
    let now = jiff::Timestamp::from_millisecond(clock.now().as_millis()).unwrap_or_default();
    format!("{instance}-snapshot-{}", stamp(now))
}

/// The moment, as ids have it.
pub fn stamp(now: jiff::Timestamp) -> String {
    now.strftime("%Y%m%d-%H%M%S").to_string()
}

/// Takes a snapshot with this id, and waits until it is available, however long that takes; `tell` gets the percent.
/// One with this id that is there, or on its way, is the one that is waited for. `account` are options of `aws`, as in
/// `["--profile", "production"]`.
pub async fn create(
    instance: &str,
    id: &str,
    account: &[&str],
    mut tell: impl FnMut(i64),
) -> Result<Snapshot, BackupError> {
    let names = [&["--db-instance-identifier", instance, "--db-snapshot-identifier", id], account].concat();
    match patiently("create-db-snapshot", &names).await {
        Err(BackupError::Aws { said, .. }) if said.contains("DBSnapshotAlreadyExists") => {}
        made => drop(made?),
    }
    loop {
        let snapshot = find(id, account).await?;
        let snapshot = snapshot.ok_or_else(|| refusal("describe-db-snapshots", "names no snapshot"))?;
        tell(snapshot.percent);
        match &*snapshot.status {
            "available" => return Ok(snapshot),
            "creating" | "pending" => time::sleep(POLL).await,
            other => return Err(refusal("create-db-snapshot", &format!("{id} is {other}"))),
        }
    }
}

/// All of an instance, newest first.
pub async fn list(instance: &str) -> Result<Vec<Snapshot>, BackupError> {
    let mut all = snapshots(&patiently("describe-db-snapshots", &["--db-instance-identifier", instance]).await?);
    // Amazon's own have other ids; moments of one form are in the order of their letters.
    all.sort_by_key(|snapshot| Reverse(snapshot.created_at.clone()));
    Ok(all)
}

/// The snapshot of an id; none: there is no such one.
pub async fn find(id: &str, account: &[&str]) -> Result<Option<Snapshot>, BackupError> {
    match patiently("describe-db-snapshots", &[&["--db-snapshot-identifier", id], account].concat()).await {
        Err(BackupError::Aws { said, .. }) if said.contains("DBSnapshotNotFound") => Ok(None),
        answer => Ok(snapshots(&answer?).into_iter().next()),
    }
}

fn snapshots(answer: &Value) -> Vec<Snapshot> {
    let all = answer["DBSnapshots"].as_array().into_iter().flatten();
    all.filter_map(|snapshot| serde_json::from_value(snapshot.clone()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_aws_is_read() {
        let answer = serde_json::json!({ "DBSnapshots": [
            { "DBSnapshotIdentifier": "prod-db-snapshot-20250117-140000", "Status": "creating", "PercentProgress": 41 },
            { "DBSnapshotIdentifier": "by-hand", "Status": "available", "SnapshotCreateTime": "2025-01-10T14:00:00Z" }
        ] });
        let [first, second] = &snapshots(&answer)[..] else { panic!("two snapshots") };
        assert_eq!((&*first.id, &*first.status, first.percent), ("prod-db-snapshot-20250117-140000", "creating", 41));
        assert_eq!(second.created_at.as_deref(), Some("2025-01-10T14:00:00Z"));
    }
}
