//! A new instance, of what another one was.

use super::{
    Snapshot,
    aws::{POLL, patiently, refusal},
    list, stamp,
};
use crate::{BackupError, Told};
use serde_json::Value;
use std::time::Instant;
use tokio::time;
use types::Clock;

/// Of what a new instance is made.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// The old one as it was at a moment; where that cannot be had, its last snapshot before.
    Moment(jiff::Timestamp),
    /// A snapshot, by its id.
    Snapshot(&'a str),
    /// Nothing: an earlier run has begun it already, under this id.
    Begun(&'a str),
}

/// One that takes connections.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) id: String,
    pub(super) address: String,
    pub(super) port: i64,
}

/// Makes it, like the old one in all that decides who reaches it and how fast it is, and waits until it is available.
pub(super) async fn make(
    source: &str,
    origin: Origin<'_>,
    clock: &Clock,
    tell: &mut impl FnMut(Told<'_>),
) -> Result<Instance, BackupError> {
    // Made once: a call whose answer was lost is repeated with the same id, and finds its own instance.
    let now = jiff::Timestamp::from_millisecond(clock.now().as_millis()).unwrap_or_default();
    let id = format!("{source}-restore-{}", stamp(now));
    match origin {
        Origin::Begun(id) => return available(id, tell).await,
        Origin::Snapshot(snapshot) => from_snapshot(source, snapshot, &id).await?,
        Origin::Moment(moment) => match at_moment(source, moment, &id).await {
            Err(BackupError::Aws { said, .. }) if has_no_moments(&said) => {
                let snapshot = last_before(source, moment).await?;
                tell(Told::Snapshot(&snapshot));
                from_snapshot(source, &snapshot.id, &id).await?;
            }
            made => made?,
        },
    }
    available(&id, tell).await
}

async fn at_moment(source: &str, moment: jiff::Timestamp, id: &str) -> Result<(), BackupError> {
    let moment = moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut arguments = vec!["--source-db-instance-identifier".to_owned(), source.to_owned()];
    arguments.extend([
        "--target-db-instance-identifier".to_owned(),
        id.to_owned(),
        "--restore-time".to_owned(),
        moment,
    ]);
    arguments.extend(like(source).await?);
    made("restore-db-instance-to-point-in-time", &arguments).await
}

async fn from_snapshot(source: &str, snapshot: &str, id: &str) -> Result<(), BackupError> {
    let mut arguments = vec!["--db-instance-identifier".to_owned(), id.to_owned()];
    arguments.extend(["--db-snapshot-identifier".to_owned(), snapshot.to_owned()]);
    arguments.extend(like(source).await?);
    made("restore-db-instance-from-db-snapshot", &arguments).await
}

async fn made(call: &str, arguments: &[String]) -> Result<(), BackupError> {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match patiently(call, &arguments).await {
        Err(BackupError::Aws { said, .. }) if said.contains("DBInstanceAlreadyExists") => Ok(()),
        made => made.map(drop),
    }
}

/// Without automatic backups, or when the instance is gone, or before its oldest one.
fn has_no_moments(said: &str) -> bool {
    ["PointInTimeRestoreNotEnabled", "DBInstanceNotFound", "InvalidRestoreFault"].iter().any(|word| said.contains(word))
}

async fn last_before(source: &str, moment: jiff::Timestamp) -> Result<Snapshot, BackupError> {
    let is_before = |snapshot: &Snapshot| {
        let created = snapshot.created_at.as_deref().and_then(|created| created.parse::<jiff::Timestamp>().ok());
        snapshot.status == "available" && created.is_some_and(|created| created <= moment)
    };
    let newest = list(source).await?.into_iter().find(is_before);
    newest.ok_or_else(|| BackupError::NoSnapshot(source.to_owned()))
}

/// What the old one is told by. Amazon would give the new one a default network and default parameters; of an instance
/// that is gone, it has to.
async fn like(source: &str) -> Result<Vec<String>, BackupError> {
    let described = match patiently("describe-db-instances", &["--db-instance-identifier", source]).await {
        Err(BackupError::Aws { said, .. }) if said.contains("DBInstanceNotFound") => return Ok(Vec::new()),
        described => described?,
    };
    Ok(settings(&described["DBInstances"][0]))
}

fn settings(old: &Value) -> Vec<String> {
    let mut arguments = Vec::new();
    let named = [
        ("--db-instance-class", &old["DBInstanceClass"]),
        ("--db-subnet-group-name", &old["DBSubnetGroup"]["DBSubnetGroupName"]),
        ("--db-parameter-group-name", &old["DBParameterGroups"][0]["DBParameterGroupName"]),
    ];
    for (name, value) in named {
        arguments.extend(value.as_str().into_iter().flat_map(|value| [name.to_owned(), value.to_owned()]));
    }
    let groups = old["VpcSecurityGroups"].as_array().into_iter().flatten();
    let groups: Vec<_> = groups.filter_map(|group| group["VpcSecurityGroupId"].as_str()).map(str::to_owned).collect();
    if !groups.is_empty() {
        arguments.push("--vpc-security-group-ids".to_owned());
        arguments.extend(groups);
    }
    let switches = [
        ("multi-az", &old["MultiAZ"]),
        ("publicly-accessible", &old["PubliclyAccessible"]),
        ("deletion-protection", &old["DeletionProtection"]),
        ("copy-tags-to-snapshot", &old["CopyTagsToSnapshot"]),
        ("enable-iam-database-authentication", &old["IAMDatabaseAuthenticationEnabled"]),
    ];
    for (name, value) in switches {
        let of = |on: bool| if on { format!("--{name}") } else { format!("--no-{name}") };
        arguments.extend(value.as_bool().map(of));
    }
    arguments
}

/// Waits for as long as it takes: large instances take hours.
async fn available(id: &str, tell: &mut impl FnMut(Told<'_>)) -> Result<Instance, BackupError> {
    let start = Instant::now();
    loop {
        let answer = patiently("describe-db-instances", &["--db-instance-identifier", id]).await?;
        let instance = &answer["DBInstances"][0];
        let status = instance["DBInstanceStatus"].as_str().unwrap_or_default();
        tell(Told::Instance { id, status, seconds: start.elapsed().as_secs() });
        let address = instance["Endpoint"]["Address"].as_str();
        match (status, address) {
            ("available", Some(address)) => {
                let port = instance["Endpoint"]["Port"].as_i64().unwrap_or(5432);
                return Ok(Instance { id: id.to_owned(), address: address.to_owned(), port });
            }
            (lost, _)
                if lost.starts_with("incompatible-") || ["failed", "deleting", "storage-full"].contains(&lost) =>
            {
                return Err(refusal("describe-db-instances", &format!("{id} is {lost}")));
            }
            _ => time::sleep(POLL).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_instance_is_reached_as_the_old_one_is() {
        let old = serde_json::json!({
            "DBInstanceClass": "db.m6g.large", "MultiAZ": true, "PubliclyAccessible": false,
            "DBSubnetGroup": { "DBSubnetGroupName": "private" },
            "DBParameterGroups": [{ "DBParameterGroupName": "platform-15" }],
            "VpcSecurityGroups": [{ "VpcSecurityGroupId": "sg-1" }, { "VpcSecurityGroupId": "sg-2" }],
        });
        let expected = "--db-instance-class db.m6g.large --db-subnet-group-name private --db-parameter-group-name \
            platform-15 --vpc-security-group-ids sg-1 sg-2 --multi-az --no-publicly-accessible";
        assert_eq!(settings(&old).join(" "), expected);
    }
}
