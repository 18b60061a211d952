//! The program `aws`, asked patiently.

use crate::BackupError;
use serde_json::Value;
use std::{
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{process::Command, time};

/// How often its state is asked.
pub(super) const POLL: Duration = Duration::from_secs(5);
/// What does not answer for so long is asked again: a call hangs when the network does.
const CALL: Duration = Duration::from_mins(1);
/// Failures in a row for so long end it. A snapshot itself may take hours.
pub(super) const PATIENCE: Duration = Duration::from_mins(5);
/// After the first failure; doubled after each.
const RETRY: Duration = Duration::from_millis(500);

/// Repeats what failed for a reason that passes.
pub(super) async fn patiently(call: &str, arguments: &[&str]) -> Result<Value, BackupError> {
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

pub(super) fn refusal(call: &str, said: &str) -> BackupError {
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
}
