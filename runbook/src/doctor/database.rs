//! The database: whether it lets us in, and whether it has connections for as many pods as the autoscaler may start.

mod budget;

use super::{Finding, Group, LIMIT};
use crate::{failure::Failure, secret};
use budget::Budget;
use runbook_file::{Environment, RunbookFile};
use std::path::Path;
use tokio::time::timeout;

const REACH: &str = "database.reach";
const WHY: &str = "Step 3 asks it what is pending";

/// Reach, then the budget.
pub(crate) async fn check(folder: &Path, file: &RunbookFile, environment: &Environment) -> Vec<Finding> {
    let Some(secret) = environment.database.as_ref().and_then(|database| database.url.as_ref()) else { return vec![] };
    let url = match secret::value(secret, environment, "postgresql://readonly_user@HOST:5432/api_platform").await {
        Ok(url) => url,
        Err(Failure { what, cure, .. }) => {
            let failed = Group::Database.failed("database.url", what, WHY);
            return vec![cure.into_iter().fold(failed, Finding::cured_by)];
        }
    };
    let failed =
        |what: String| Group::Database.failed(REACH, what, WHY).cured_by("psql \"$DATABASE_URL\" -c 'SELECT 1'");
    let room = match timeout(LIMIT, room(&url)).await {
        Ok(Ok(room)) => room,
        // The server's words may repeat the URL.
        Ok(Err(error)) => return vec![failed(crate::redact::redact(&error, &[url]))],
        Err(_) => return vec![failed(format!("the database did not answer within {} s", LIMIT.as_secs()))],
    };
    let reached = Group::Database.good(REACH, format!("{} lets us in", room.server));
    let values = &environment.values;
    let budget = (!values.is_empty()).then(|| Budget::read(folder, values, file.services.len()));
    std::iter::once(reached).chain(budget.map(|budget| judge(budget, &room))).collect()
}

fn judge(budget: Result<Budget, String>, room: &Room) -> Finding {
    let id = "database.connections";
    let free = room.most - room.taken;
    let why = "pods that find no connection are not ready, and the rollout stops";
    match budget {
        Err(problem) => Group::Database.warning(id, format!("the connections cannot be counted: {problem}"), why),
        Ok(budget) if budget.needed() > free => Group::Database
            .failed(
                id,
                format!("{budget} may be needed, and {free} are left of {} (others hold {})", room.most, room.taken),
                why,
            )
            .cured_by("less database.pool or autoscaling.maxReplicas in the values, or more max_connections"),
        Ok(budget) => Group::Database.good(id, format!("{budget}, of {free} that are left")),
    }
}

/// What the server has, and what others take of it.
struct Room {
    server: String,
    most: i64,
    taken: i64,
}

async fn room(url: &str) -> Result<Room, String> {
    let client = migrate::connect(url).await.map_err(|error| error.to_string())?;
    let row = client
        .query_one(
            "SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1),
                    current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint,
                    (SELECT count(*) FROM pg_stat_activity
                      WHERE backend_type = 'client backend' AND usename <> 'api_platform_app' AND pid <> pg_backend_pid())",
            &[],
        )
        .await
        .map_err(|error| error.to_string())?;
    Ok(Room { server: row.get(0), most: row.get(1), taken: row.get(2) })
}
