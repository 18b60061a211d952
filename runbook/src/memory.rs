//! What the runbook remembers of an environment between runs, in a ConfigMap for all operators: what it has seen to work,
//! what must not be deployed again, and which errors are not new.

use crate::{
    cluster::{self, AskError, NAMESPACE, ask},
    failure::Failure,
};
use jiff::Timestamp;
use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, Client, api::PostParams};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};

/// helm forgets earlier; a way back further than that leads through the backups.
const KEPT: usize = 50;
const TRIES: u32 = 5;

/// Of one environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Oldest first.
    pub(crate) verified: Vec<Verified>,
    /// Versions that were rolled back, with why.
    pub(crate) blocked: BTreeMap<String, String>,
    /// Kinds of errors that were in the logs before the last change.
    pub(crate) errors: BTreeSet<String>,
}

/// A revision of helm's whose verification was passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verified {
    pub(crate) revision: u32,
    pub(crate) version: String,
    pub(crate) run: String,
    pub(crate) at: Timestamp,
}

fn api(client: &Client) -> Api<ConfigMap> {
    Api::namespaced(client.clone(), NAMESPACE)
}

fn name(environment: &str) -> String {
    format!("environment-{environment}")
}

/// What is remembered; nothing is an answer as well.
///
/// # Errors
///
/// The cluster does not answer, these credentials may not look, or what is there cannot be read.
pub(crate) async fn read(client: &Client, environment: &str) -> Result<Memory, Failure> {
    let found = ask(api(client).get_opt(&name(environment))).await;
    let found = found.map_err(|error| error.about(&format!("what is remembered of {environment}")))?;
    found.map_or_else(|| Ok(Memory::default()), |map| parse(environment, &map))
}

/// A revision works.
pub(crate) async fn remember_verified(client: &Client, environment: &str, verified: Verified) -> Result<(), Failure> {
    change(client, environment, |memory| {
        memory.verified.retain(|known| known.revision != verified.revision);
        memory.verified.push(verified.clone());
        let left_out = memory.verified.len().saturating_sub(KEPT);
        memory.verified.drain(..left_out);
    })
    .await
}

/// A version is not to be deployed again without a reason.
pub(crate) async fn block(client: &Client, environment: &str, version: &str, reason: &str) -> Result<(), Failure> {
    change(client, environment, |memory| {
        memory.blocked.insert(version.to_owned(), reason.to_owned());
    })
    .await
}

/// It may be deployed again.
pub(crate) async fn unblock(client: &Client, environment: &str, version: &str) -> Result<(), Failure> {
    change(client, environment, |memory| {
        memory.blocked.remove(version);
    })
    .await
}

/// These kinds of errors are there, before anything is changed.
pub(crate) async fn remember_errors(
    client: &Client,
    environment: &str,
    errors: &BTreeSet<String>,
) -> Result<(), Failure> {
    change(client, environment, |memory| memory.errors.clone_from(errors)).await
}

/// On top of what others wrote meanwhile.
async fn change(client: &Client, environment: &str, change: impl Fn(&mut Memory)) -> Result<(), Failure> {
    let what = format!("what is remembered of {environment}");
    for _ in 0..TRIES {
        let found = ask(api(client).get_opt(&name(environment))).await.map_err(|error| error.about(&what))?;
        let before = found.as_ref().map_or_else(|| Ok(Memory::default()), |map| parse(environment, map))?;
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return Ok(());
        }
        let written = if let Some(mut map) = found {
            map.data.get_or_insert_default().extend(data(&after)?);
            ask(api(client).replace(&name(environment), &PostParams::default(), &map)).await
        } else {
            cluster::namespace(client).await?;
            let map = ConfigMap { metadata: fresh(environment), data: Some(data(&after)?), ..ConfigMap::default() };
            ask(api(client).create(&PostParams::default(), &map)).await
        };
        match written {
            Ok(_) => return Ok(()),
            Err(AskError::Conflict) => {}
            Err(error) => return Err(error.about(&what)),
        }
    }
    Err(AskError::Conflict.about(&what))
}

fn fresh(environment: &str) -> ObjectMeta {
    let labels = [("app.kubernetes.io/managed-by", "runbook"), ("runbook/remembers", environment)];
    ObjectMeta {
        name: Some(name(environment)),
        namespace: Some(NAMESPACE.to_owned()),
        labels: Some(labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into()),
        ..ObjectMeta::default()
    }
}

fn data(memory: &Memory) -> Result<BTreeMap<String, String>, Failure> {
    let text = |value: serde_json::Result<String>| value.map_err(|error| Failure::failed(error.to_string()));
    Ok(BTreeMap::from([
        ("verified".to_owned(), text(serde_json::to_string(&memory.verified))?),
        ("blocked".to_owned(), text(serde_json::to_string(&memory.blocked))?),
        ("errors".to_owned(), text(serde_json::to_string(&memory.errors))?),
    ]))
}

fn parse(environment: &str, map: &ConfigMap) -> Result<Memory, Failure> {
    Ok(Memory {
        verified: field(environment, map, "verified")?,
        blocked: field(environment, map, "blocked")?,
        errors: field(environment, map, "errors")?,
    })
}

fn field<T: DeserializeOwned + Default>(environment: &str, map: &ConfigMap, key: &str) -> Result<T, Failure> {
    let Some(text) = map.data.as_ref().and_then(|data| data.get(key)) else { return Ok(T::default()) };
    serde_json::from_str(text).map_err(|error| {
        Failure::refused(format!("what is remembered of {environment} cannot be read: {key}: {error}"))
            .cured_by(format!("kubectl edit configmap {} -n {NAMESPACE}", name(environment)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::stand_in::{Fault, StandIn};

    fn verified(revision: u32) -> Verified {
        let at = "2025-01-17T14:00:00Z".parse().unwrap();
        Verified { revision, version: format!("1.2.{revision}"), run: "20250117-140000-0000".into(), at }
    }

    #[tokio::test]
    async fn what_several_remember_at_once_is_all_there() {
        let cluster = StandIn::start();
        let client = cluster.client("ada").await;
        assert_eq!(read(&client, "production").await.unwrap(), Memory::default());
        let (first, second, third) = tokio::join!(
            remember_verified(&client, "production", verified(1)),
            block(&client, "production", "1.2.4", "it lost sessions"),
            remember_verified(&client, "staging", verified(7)),
        );
        first.and(second).and(third).unwrap();
        let memory = read(&client, "production").await.unwrap();
        assert_eq!(memory.verified, [verified(1)]);
        assert_eq!(memory.blocked["1.2.4"], "it lost sessions");
        unblock(&client, "production", "1.2.4").await.unwrap();
        assert!(read(&client, "production").await.unwrap().blocked.is_empty());
    }

    #[tokio::test]
    async fn the_last_fifty_are_kept_and_one_that_is_verified_again_is_the_newest() {
        let cluster = StandIn::start();
        let client = cluster.client("ada").await;
        for revision in 1..=52 {
            remember_verified(&client, "production", verified(revision)).await.unwrap();
        }
        remember_verified(&client, "production", verified(10)).await.unwrap();
        let kept = read(&client, "production").await.unwrap().verified;
        let revisions: Vec<_> = kept.iter().map(|verified| verified.revision).collect();
        assert_eq!(revisions, (3..=52).filter(|revision| *revision != 10).chain([10]).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_not_written_over() {
        let cluster = StandIn::start();
        let client = cluster.client("ada").await;
        remember_verified(&client, "production", verified(1)).await.unwrap();
        let path = "/api/v1/namespaces/runbook/configmaps/environment-production";
        let mut map = cluster.object(path).unwrap();
        map["data"]["verified"] = "[{".into();
        cluster.put(path, map);
        let refused = remember_verified(&client, "production", verified(2)).await.unwrap_err();
        assert_eq!(refused.exit, crate::exit::Exit::Refused);
        assert_eq!(refused.cure.as_deref(), Some("kubectl edit configmap environment-production -n runbook"));
        cluster.fault(Fault::Denied);
        let denied = block(&client, "staging", "1.2.4", "it lost sessions").await.unwrap_err();
        insta::assert_snapshot!(denied, @"what is remembered of staging: you may not");
    }
}
