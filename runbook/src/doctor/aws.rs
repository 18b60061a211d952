//! "AWS Console access", "Secrets manager access": the account behind the profile, and the instance in it.

use super::{Finding, Group, LIMIT};
use crate::programs::{CallError, aws::Aws};
use runbook_file::{Aws as Account, Database};

/// The account, then the instance, which only the right account has.
pub(crate) async fn check(account: &Account, database: Option<&Database>) -> Vec<Finding> {
    let whose = identity(account);
    let instance = async {
        match database.and_then(|database| database.instance.as_deref()) {
            Some(name) => instance(account, name).await,
            None => None,
        }
    };
    let (whose, instance) = tokio::join!(whose, instance);
    whose.into_iter().chain(instance).collect()
}

async fn identity(account: &Account) -> Option<Finding> {
    let id = "aws.account";
    let call = Aws(account).call(["sts", "get-caller-identity", "--query", "Account", "--output", "text"]).limit(LIMIT);
    let why = "Step 3.4 takes the snapshot with it";
    Some(match (call.run().await, account.account.as_deref()) {
        (Ok(found), Some(wanted)) if found.trim() == wanted => Group::Amazon.good(id, format!("account {wanted}")),
        (Ok(found), Some(wanted)) => {
            let what = format!("profile {} is account {}, not {wanted}", account.profile, found.trim());
            let why = "what is meant for one account would be done in another";
            Group::Amazon.failed(id, what, why).cured_by(format!("aws configure --profile {}", account.profile))
        }
        (Ok(found), None) => Group::Amazon
            .warning(
                id,
                format!("account {}, which nobody compares", found.trim()),
                "a profile can come to mean another one",
            )
            .cured_by(format!("in runbook.toml, in aws: account = \"{}\"", found.trim())),
        (Err(CallError::NotThere(_)), _) => return None,
        (Err(error), _) => {
            let what = format!("profile {} is not let in: {error}", account.profile);
            let is_missing = error.to_string().contains("could not be found");
            let cure = if is_missing { "aws configure sso" } else { "aws sso login" };
            Group::Amazon.failed(id, what, why).cured_by(format!("{cure} --profile {}", account.profile))
        }
    })
}

async fn instance(account: &Account, name: &str) -> Option<Finding> {
    let id = "aws.instance";
    let query = ["--query", "DBInstances[0].DBInstanceStatus", "--output", "text"];
    let call =
        Aws(account).call(["rds", "describe-db-instances", "--db-instance-identifier", name]).args(query).limit(LIMIT);
    let why = "Step 3.4 takes a snapshot of it before every migration";
    Some(match call.run().await {
        Ok(status) if status.trim() == "available" => Group::Amazon.good(id, format!("{name} is available")),
        Ok(status) => Group::Amazon.failed(id, format!("{name} is {}", status.trim()), why).cured_by(call.literal()),
        Err(CallError::NotThere(_)) => return None,
        Err(error) => Group::Amazon.failed(id, format!("{name} is not seen: {error}"), why).cured_by(call.literal()),
    })
}
