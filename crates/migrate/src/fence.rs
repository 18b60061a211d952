//! The fence: whoever holds a newer token keeps out all who hold an older one, even one that does not know yet that it
//! lost its lock.
//!
//! A lock outside the database ends by a clock, and its holder may be paused at any moment. So its token is compared
//! where the change is made, in the same transaction, and the next holder's token waits until that has ended.

use crate::{UpError, blockers, catalog::Locked, locks::Mode, patience::Patience, session::LOCK_WAIT};
use std::time::{Duration, Instant};
use tokio_postgres::{Client, Error, error::SqlState};

/// What whoever holds the lock of an environment was given with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// Whose lock it is, as in `production`.
    pub environment: String,
    /// Greater than that of every holder before: a Kubernetes Lease's `leaseTransitions`.
    pub token: i64,
}

const NAME: &str = "_migration_fence";

/// Only there when it was needed.
const TABLE: &str = "
    CREATE TABLE _migration_fence (
        environment text COLLATE \"C\" PRIMARY KEY,
        token bigint NOT NULL,
        raised_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        raised_by text NOT NULL DEFAULT concat_ws(' from ', session_user, host(inet_client_addr()))
    );
    ALTER TABLE _migration_fence ENABLE ROW LEVEL SECURITY;
    ALTER TABLE _migration_fence FORCE ROW LEVEL SECURITY;
    CREATE POLICY owner_all ON _migration_fence TO CURRENT_USER USING (true) WITH CHECK (true);";

/// Fences whoever holds an older token, also while it is between two files; needs the owner's login. A transaction that
/// it is in is waited for, and after this has returned it begins no other. Only a statement that allows no transaction,
/// as an index built concurrently, may still be at it: the next migrator waits for that. [`UpError::Fenced`] when there is
/// a newer token, [`UpError::FenceHeld`] when the transaction does not end within ten minutes.
pub async fn raise_fence(client: &Client, fence: &Fence) -> Result<(), UpError> {
    raise_within(client, fence, LOCK_WAIT).await
}

async fn raise_within(client: &Client, fence: &Fence, longest: Duration) -> Result<(), UpError> {
    ensure(client).await?;
    let known = known(client, fence, "").await?;
    if known.as_ref().is_some_and(|(token, _)| *token >= fence.token) {
        return fence.compare(known);
    }
    let start = Instant::now();
    while let Err(error) = try_raise(client, fence).await {
        let busy = error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE);
        // If even that fails the session is gone, which the error says already, or the next attempt's.
        let _ = client.batch_execute("ROLLBACK").await;
        if !busy {
            return Err(error.into());
        }
        if start.elapsed() > longest {
            let environment = fence.environment.clone();
            return Err(UpError::FenceHeld { environment, by: holder(client).await? });
        }
    }
    // Somebody may have come in between with a newer one.
    fence.compare(self::known(client, fence, "").await?)
}

/// Keeps the token as it is until the transaction ends.
pub(crate) async fn hold(client: &Client, fence: Option<&Fence>) -> Result<(), UpError> {
    let Some(fence) = fence else { return Ok(()) };
    fence.compare(known(client, fence, "FOR SHARE").await?)
}

/// Looks whether the token is the newest now.
pub(crate) async fn check(client: &Client, fence: Option<&Fence>) -> Result<(), UpError> {
    let Some(fence) = fence else { return Ok(()) };
    fence.compare(known(client, fence, "").await?)
}

impl Fence {
    fn compare(&self, known: Option<(i64, String)>) -> Result<(), UpError> {
        if known.as_ref().is_some_and(|(token, _)| *token == self.token) {
            return Ok(());
        }
        let known = known.map_or_else(|| "none".to_owned(), |(token, raised)| format!("{token} ({raised})"));
        Err(UpError::Fenced { fence: self.clone(), known })
    }
}

/// The newest token, and who brought it when.
async fn known(client: &Client, fence: &Fence, lock: &str) -> Result<Option<(i64, String)>, Error> {
    let known = format!(
        "SELECT token, format('%s, %s UTC', raised_by, to_char(raised_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'))
         FROM {NAME} WHERE environment = $1 {lock}"
    );
    let row = client.query_opt(&known, &[&fence.environment]).await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

/// The lock of the table, and not of the row alone, is given in the order in which it is asked for: a holder that goes
/// from file to file cannot pass by. Only migrators ask for it, so nobody else waits behind.
async fn try_raise(client: &Client, fence: &Fence) -> Result<(), Error> {
    let begin = format!(
        "BEGIN; SET LOCAL lock_timeout = '5s'; SET LOCAL client_connection_check_interval = '2s';
         LOCK TABLE {NAME} IN EXCLUSIVE MODE"
    );
    client.batch_execute(&begin).await?;
    let raise = format!(
        "INSERT INTO {NAME} AS known (environment, token) VALUES ($1, $2) ON CONFLICT (environment) DO UPDATE
         SET token = excluded.token, raised_at = excluded.raised_at, raised_by = excluded.raised_by
         WHERE known.token < excluded.token"
    );
    client.execute(&raise, &[&fence.environment, &fence.token]).await?;
    client.batch_execute("COMMIT").await
}

/// Who is at a file.
async fn holder(client: &Client) -> Result<String, Error> {
    let table = Locked {
        relation: NAME.to_owned(),
        mode: Mode::Exclusive,
        rows: None,
        bytes: 0,
        scanned: false,
        has_rows: true,
    };
    let found = blockers::of(client, &[table]).await?;
    let holder = found.iter().find(|blocker| blocker.holds.is_some());
    Ok(holder.map_or_else(|| "a session that has just ended".to_owned(), ToString::to_string))
}

/// Makes the table; somebody else may do so at the same moment.
async fn ensure(client: &Client) -> Result<(), Error> {
    let is_missing = "SELECT to_regclass($1) IS NULL";
    let mut patience = Patience::default();
    while client.query_one(is_missing, &[&NAME]).await?.try_get(0)? {
        let Err(error) = client.batch_execute(&format!("{}; {TABLE} COMMIT", Patience::BEGIN)).await else { continue };
        let collisions = [SqlState::DUPLICATE_TABLE, SqlState::UNIQUE_VIOLATION, SqlState::DUPLICATE_OBJECT];
        if error.code().is_some_and(|code| collisions.contains(code)) {
            client.batch_execute("ROLLBACK").await?;
        } else {
            patience.roll_back(client, error).await?;
        }
        patience.pause().await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use testing::Database;

    #[tokio::test]
    async fn who_waits_too_long_is_told_whose_transaction_does_not_end() {
        let (database, owner) = Database::without_tables().await;
        let fence = |token| Fence { environment: "production".to_owned(), token };
        raise_fence(&owner, &fence(1)).await.unwrap();
        owner.batch_execute("BEGIN").await.unwrap();
        hold(&owner, Some(&fence(1))).await.unwrap();
        let pid: i32 = owner.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
        let newer = database.client("admin_user").await;
        let held = raise_within(&newer, &fence(2), Duration::ZERO).await.unwrap_err();
        assert!(matches!(&held, UpError::FenceHeld { environment, .. } if environment == "production"), "{held}");
        let said = held.to_string();
        assert!(
            said.contains(&format!("by process {pid} of admin_user platform migrate, idle in transaction")),
            "{said}"
        );
        owner.batch_execute("COMMIT").await.unwrap();
        raise_fence(&newer, &fence(2)).await.unwrap();
    }
}
