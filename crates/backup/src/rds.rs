//! Snapshots of Amazon RDS, through the `aws` program and with the runbook's own lines (Step 3.4).

use crate::BackupError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    cmp::Reverse,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{process::Command, time};
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

/// How often its state is asked.
const POLL: Duration = Duration::from_secs(5);
/// What does not answer for so long is asked again: a call hangs when the network does.
const CALL: Duration = Duration::from_mins(1);
/// Failures in a row for so long end it. A snapshot itself may take hours.
const PATIENCE: Duration = Duration::from_mins(5);
/// After the first failure; doubled after each.
const RETRY: Duration = Duration::from_millis(500);

/// Takes a snapshot, and waits until it is available, however long that takes; `tell` gets the percent.
pub async fn create(instance: &str, clock: &Clock, mut tell: impl FnMut(i64)) -> Result<Snapshot, BackupError> {
    let now = jiff::Timestamp::from_millisecond(clock.now().as_millis()).unwrap_or_default();
    // Made once: a call whose answer was lost is repeated with the same id, and finds its own snapshot.
    let id = format!("{instance}-snapshot-{}", now.strftime("%Y%m%d-%H%M%S"));
    let names = ["--db-instance-identifier", instance, "--db-snapshot-identifier", &id];
    match patiently("create-db-snapshot", &names).await {
        Err(BackupError::Aws { said, .. }) if said.contains("DBSnapshotAlreadyExists") => {}
        made => drop(made?),
    }
    loop {
        let answer = patiently("describe-db-snapshots", &["--db-snapshot-identifier", &id]).await?;
        let snapshot = snapshots(&answer).into_iter().next();
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

fn snapshots(answer: &Value) -> Vec<Snapshot> {
    let all = answer["DBSnapshots"].as_array().into_iter().flatten();
    all.filter_map(|snapshot| serde_json::from_value(snapshot.clone()).ok()).collect()
}

/// Repeats what failed for a reason that passes.
async fn patiently(call: &str, arguments: &[&str]) -> Result<Value, BackupError> {
    let (mut failing_since, mut pause) = (None, RETRY);
    loop {
        let error = match once(call, arguments).await {
            Err(error) if passes(&error) => error,
            ended => return ended,
        };
        if failing_since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            return Err(error);
        }
        time::sleep(pause).await;
        pause = (pause * 2).min(POLL * 4);
    }
}

async fn once(call: &str, arguments: &[&str]) -> Result<Value, BackupError> {
    let mut aws = Command::new("aws");
    aws.args(["rds", call]).args(arguments).args(["--output", "json"]);
    aws.stdin(Stdio::null()).kill_on_drop(true);
    let Ok(output) = time::timeout(CALL, aws.output()).await else {
        return Err(refusal(call, "no answer: timed out"));
    };
    let output = output.map_err(|error| BackupError::NoProgram("aws", error))?;
    if !output.status.success() {
        return Err(refusal(call, String::from_utf8_lossy(&output.stderr).trim()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| refusal(call, &format!("its answer is no JSON: {error}")))
}

/// Throttled, broken off, or a fault on the other side. What was asked is not wrong.
fn passes(error: &BackupError) -> bool {
    let BackupError::Aws { said, .. } = error else { return false };
    let words = [
        "Throttl",
        "RequestLimitExceeded",
        "timed out",
        "Could not connect",
        "Connection was closed",
        "Connection reset",
        "InternalFailure",
        "ServiceUnavailable",
        "(500)",
        "(502)",
        "(503)",
        "(504)",
    ];
    words.iter().any(|word| said.contains(word))
}

fn refusal(call: &str, said: &str) -> BackupError {
    BackupError::Aws { call: format!("rds {call}"), said: said.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_repeated_and_what_is_wrong_is_not() {
        for (said, repeated) in [
            ("An error occurred (Throttling) when calling the CreateDBSnapshot operation: Rate exceeded", true),
            ("An error occurred (503) when calling the DescribeDBSnapshots operation: Service Unavailable", true),
            ("Connection was closed before we received a valid response from endpoint URL", true),
            ("An error occurred (DBInstanceNotFound) when calling the CreateDBSnapshot operation", false),
            ("An error occurred (AccessDenied) when calling the CreateDBSnapshot operation", false),
            ("An error occurred (SnapshotQuotaExceeded) when calling the CreateDBSnapshot operation", false),
        ] {
            assert_eq!(passes(&refusal("create-db-snapshot", said)), repeated, "{said}");
        }
    }

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
