//! `kubectl`

use super::{Call, CallError};
use crate::home;
use runbook_file::Cluster;
use serde::Deserialize;

/// A cluster by its context: the user's own current context is neither used nor changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kubectl<'a>(pub(crate) &'a Cluster);

impl Kubectl<'_> {
    /// Any of its commands.
    pub(crate) fn call<'a>(self, arguments: impl IntoIterator<Item = &'a str>) -> Call {
        let call = Call::new("kubectl").args(arguments).args(["--context", &self.0.context]);
        match &self.0.kubeconfig {
            Some(path) => call.args(["--kubeconfig".to_owned(), home::expand(path).display().to_string()]),
            None => call,
        }
    }

    /// The same, in the namespace of the deployables.
    pub(crate) fn in_namespace<'a>(self, arguments: impl IntoIterator<Item = &'a str>) -> Call {
        self.call(arguments).args(["-n", &self.0.namespace])
    }
}

/// A context of a kubeconfig.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
}

/// The contexts that this user has. No credential is read: kubectl leaves them out.
pub(crate) async fn contexts() -> Result<Vec<Context>, CallError> {
    let text = Call::new("kubectl").args(["config", "view", "--output", "json"]).run().await?;
    let config: Config = serde_json::from_str(&text).unwrap_or_default();
    let contexts = config.contexts.into_iter().flatten();
    Ok(contexts.map(|named| Context { name: named.name, namespace: named.context.namespace }).collect())
}

/// What `kubectl config view` prints, as far as it is read.
#[derive(Default, Deserialize)]
struct Config {
    contexts: Option<Vec<Named>>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    context: InContext,
}

#[derive(Deserialize)]
struct InContext {
    namespace: Option<String>,
}
