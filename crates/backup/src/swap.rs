//! How services come to use a restored database instead of the old one, and how that is undone: steps of their own, to
//! be run by whoever answers for them (runbook, rollback, option 3).

use crate::{Old, database::Database};
use serde::Serialize;

/// Commands, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Swap {
    /// What makes services use the restored one.
    pub steps: Vec<String>,
    /// What undoes it, for as long as the old one is kept.
    pub undo: Vec<String>,
}

impl Swap {
    /// While services are stopped. `OWNER` of the old database, `PASSWORD` and `N` are not ours to know.
    pub(crate) fn between(old: &Database, new: &Database, state: &Old) -> Self {
        let is_read_only = *state == (Old::Kept { writable: None });
        let set = (!is_read_only).then(|| altered(old, "OWNER", "SET default_transaction_read_only = on"));
        let owner = if is_read_only { old.user() } else { "OWNER" };
        let steps = [use_of(new), scaled("N"), "platform smoke --env production".to_owned()];
        Self {
            steps: set.into_iter().chain(steps).collect(),
            undo: vec![
                scaled("0"),
                altered(old, owner, "RESET default_transaction_read_only"),
                use_of(old),
                scaled("N"),
            ],
        }
    }
}

/// A database that is read-only could not be told otherwise.
fn altered(database: &Database, owner: &str, change: &str) -> String {
    let (url, name) = (database.of_user(owner), database.name());
    format!("psql '{url}' -c 'SET default_transaction_read_only = off' -c 'ALTER DATABASE \"{name}\" {change}'")
}

fn use_of(database: &Database) -> String {
    let url = database.of_user("api_platform_app:PASSWORD");
    format!(
        "kubectl patch secret api-secrets --namespace production --type merge \
         --patch '{{\"stringData\":{{\"database-url\":\"{url}\"}}}}'"
    )
}

fn scaled(replicas: &str) -> String {
    format!(
        "kubectl scale deployment auth-service user-service org-service --namespace production --replicas={replicas}"
    )
}
