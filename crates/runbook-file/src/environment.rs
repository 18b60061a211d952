//! One environment: how it is reached, and what it must have.

use crate::{Secret, Window};
use serde::{Deserialize, Deserializer, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// A place where the platform runs.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Where the world reaches it, without the path: `https://api.example.com`.
    pub url: String,
    /// None: there is no Kubernetes, as on a developer's machine.
    pub cluster: Option<Cluster>,
    /// What stands before the names of images, as in `registry.example.com`; empty: names as they are written.
    #[serde(default)]
    pub registry: String,
    /// None: it uses nothing of Amazon's.
    pub aws: Option<Aws>,
    /// Values of the chart, as in `helm/values-prod.yaml`; of several, later ones win. One may be written without a list.
    #[serde(default, deserialize_with = "one_or_many")]
    pub values: Vec<PathBuf>,
    /// A folder of manifests for the way by kubectl, as in `k8s/production`; none: this environment has only helm's.
    pub manifests: Option<PathBuf>,
    /// Kubernetes' secrets that must be there, each with its keys. Nothing of their content is ever read.
    #[serde(default)]
    pub secrets: BTreeMap<String, Vec<String>>,
    /// None: the runbook does not reach its database.
    pub database: Option<Database>,
    /// When deployments are due; none: at any time.
    pub window: Option<Window>,
    /// How many people besides the one who deploys have to agree.
    #[serde(default)]
    pub approvals: usize,
}

/// A Kubernetes cluster and the place in it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// `~` is the home folder; none: what kubectl takes by itself.
    pub kubeconfig: Option<PathBuf>,
    /// Of that file, as in `prod-us-east-1`.
    pub context: String,
    /// The namespace of the deployables.
    pub namespace: String,
    /// The UID of its namespace `kube-system`, which no other cluster has: a context can be renamed or point elsewhere.
    pub uid: Option<String>,
}

/// An account at Amazon.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Aws {
    /// A profile of the program `aws`.
    pub profile: String,
    /// As in `us-east-1`.
    pub region: String,
    /// Twelve digits: a profile can point elsewhere, the account is compared.
    pub account: Option<String>,
}

/// The database.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Who runs it.
    pub kind: DatabaseKind,
    /// Of Amazon RDS, as in `prod-db`.
    pub instance: Option<String>,
    /// Where its URL comes from; a login that may read is enough.
    pub url: Option<Secret>,
    /// Where the URL of its owner comes from, as `admin_user`; none: the runbook applies no migrations here.
    pub owner_url: Option<Secret>,
}

/// Who runs a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseKind {
    /// Amazon RDS.
    Rds,
    /// Anybody.
    Postgresql,
}

impl Environment {
    /// What the types cannot say.
    pub(crate) fn check(&self) -> Result<(), String> {
        if !["http://", "https://"].iter().any(|scheme| self.url.starts_with(scheme)) {
            return Err(format!("url is {:?}, and begins with https:// or http://", self.url));
        }
        if self.aws.as_ref().and_then(|aws| aws.account.as_ref()).is_some_and(|account| !is_account(account)) {
            return Err("aws.account is twelve digits".to_owned());
        }
        let Some(database) = &self.database else { return Ok(()) };
        match (database.kind, &database.instance) {
            (DatabaseKind::Rds, None) => Err("a database of kind \"rds\" needs its instance".to_owned()),
            (DatabaseKind::Rds, _) if self.aws.is_none() => Err("a database of kind \"rds\" needs aws".to_owned()),
            (DatabaseKind::Postgresql, Some(_)) => Err("only a database of kind \"rds\" has an instance".to_owned()),
            _ => Ok(()),
        }
    }
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a path, or a list of paths")]
    enum Paths {
        One(PathBuf),
        Many(Vec<PathBuf>),
    }
    Ok(match Paths::deserialize(deserializer)? {
        Paths::One(path) => vec![path],
        Paths::Many(paths) => paths,
    })
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
