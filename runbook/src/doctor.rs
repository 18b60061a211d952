//! The document's Prerequisites, looked at: nothing here changes anything.
//!
//! A check is a function that asks one thing and returns findings; all of them run at the same time.

mod aws;
mod cluster;
mod database;
mod finding;
mod shared;
mod sources;
mod tools;

pub(crate) use finding::{Finding, Group};

use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use runbook_file::{Environment, RunbookFile};
use std::{path::Path, time::Duration};

/// Of a single check; a network that is away must not be waited for.
const LIMIT: Duration = Duration::from_secs(10);

/// Looks at everything, and lists it in the order of the document.
pub(crate) async fn examine(
    folder: &Path,
    file: &RunbookFile,
    environment: Option<(&str, &Environment)>,
) -> Vec<Finding> {
    let (name, environment) = environment.unzip();
    let mut checks: Vec<BoxFuture<'_, Vec<Finding>>> = vec![];
    for tool in tools::needed(environment) {
        checks.push(tools::check(tool, &file.tools).boxed());
    }
    checks.extend(sources::checks(folder, file));
    if let Some(environment) = environment {
        match &environment.cluster {
            Some(at) => checks.extend(cluster::checks(at, &environment.secrets)),
            None => checks.push(async { name.map(cluster::none).into_iter().collect() }.boxed()),
        }
        checks.extend(environment.aws.iter().map(|account| aws::check(account, environment.database.as_ref()).boxed()));
        checks.push(sources::registry(&environment.registry).boxed());
        if environment.database.is_some() {
            checks.push(database::check(folder, file, environment).boxed());
        }
    }
    let mut findings: Vec<_> = join_all(checks).await.into_iter().flatten().collect();
    findings.sort_by_key(|finding| finding.group);
    findings
}
