//! `kubectl`

use super::{Call, CallError};
use runbook_file::Cluster;
use serde::Deserialize;
use std::time::Duration;

/// For what waits until pods are ready.
const LONG: Duration = Duration::from_mins(11);

/// A cluster by its context: the user's own current context is neither used nor changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kubectl<'a>(pub(crate) &'a Cluster);

impl Kubectl<'_> {
    /// Any of its commands.
    pub(crate) fn call<'a>(self, arguments: impl IntoIterator<Item = &'a str>) -> Call {
        Call::new("kubectl").args(arguments).at(self.0, "--context")
    }

    /// The same, in the namespace of the deployables.
    pub(crate) fn in_namespace<'a>(self, arguments: impl IntoIterator<Item = &'a str>) -> Call {
        self.call(arguments).args(["-n", &self.0.namespace])
    }

    /// What step 4.1 would change, by the server's own comparison; exit code 1 when something differs.
    pub(crate) fn diff(self, folder: &str) -> Call {
        self.in_namespace(["diff", "-f", folder])
    }

    /// Step 4.1 by kubectl.
    pub(crate) fn apply(self, folder: &str) -> Call {
        self.call(["apply", "-f", folder, "--namespace", &self.0.namespace]).limit(LONG)
    }

    /// Step 4.2 by kubectl: a service's container is called as its Deployment.
    pub(crate) fn set_image(self, service: &str, image: &str) -> Call {
        self.in_namespace(["set", "image", &format!("deployment/{service}"), &format!("{service}={image}")])
    }

    /// Step 4.4.
    pub(crate) fn rollout_status(self, service: &str) -> Call {
        self.in_namespace(["rollout", "status", &format!("deployment/{service}")]).args(["--timeout=10m"]).limit(LONG)
    }

    /// Rollback, option 2. Always by number: after a restart, "the one before" would be the same image.
    pub(crate) fn undo(self, service: &str, to: u64) -> Call {
        self.in_namespace(["rollout", "undo", &format!("deployment/{service}"), &format!("--to-revision={to}")])
    }

    /// Rollback, option 2.
    pub(crate) fn rollout_history(self, service: &str) -> Call {
        self.in_namespace(["rollout", "history", &format!("deployment/{service}")])
    }

    /// Step 5.4, of a pod that ends as well as of one that runs.
    pub(crate) fn logs(self, service: &str) -> Call {
        self.in_namespace(["logs", &format!("deployment/{service}"), "--tail=100"])
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
