//! Erasing synthetic organizations with everything in them.

use super::catches::{self, KEPT};
use crate::App;
use db::{DbResult, SystemTx, Work, row, sql};
use events::{Actor, Event, Kind};
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use types::{Email, OrgId, Timestamp};

/// What a killed run left behind lives this long.
const LIFETIME: Duration = Duration::from_hours(1);
const INTERVAL: Duration = Duration::from_mins(1);
/// After an error: the database was away, or another transaction in the way.
const RETRY: Duration = Duration::from_secs(1);

row! {
    /// A synthetic organization.
    #[derive(Debug)]
    pub(crate) struct SyntheticRow { id: OrgId }
}
row! {
    /// Whether there was one.
    #[derive(Debug)]
    pub(crate) struct ErasedRow { erased: bool }
}

sql! {
    /// Those of an account.
    pub fn of_address(tx: SystemTx, email_key: &str) -> all SyntheticRow =
        "SELECT o.id FROM organizations o JOIN memberships m ON m.org_id = o.id
         WHERE o.synthetic AND m.email_key = $1";

    /// Those that are past their time.
    pub fn old(tx: SystemTx, before: Timestamp) -> all SyntheticRow =
        "SELECT id FROM organizations WHERE synthetic AND created_at < $1 LIMIT 20";

    /// Erases one with everything in it, by a function of the tables' owner that refuses what is not synthetic.
    pub fn erase(tx: SystemTx, org: OrgId) -> one ErasedRow = "SELECT erase_synthetic($1) AS erased";
}

/// Erases the organizations of a synthetic account, and says how many there were.
pub(super) async fn account(app: &App, address: &Email) -> DbResult<usize> {
    let tx = app.db.system(Work::Smoke).await?;
    let organizations = of_address(&tx, address.key()).await?;
    for organization in &organizations {
        one(app, &tx, organization.id, "erased by the run").await?;
    }
    tx.commit().await?;
    Ok(organizations.len())
}

async fn one(app: &App, tx: &SystemTx, org: OrgId, why: &str) -> DbResult<()> {
    if erase(tx, org).await?.erased {
        let event = Event::new(Kind::SmokeErased, &Actor::SYSTEM, &app.clock, &app.rng).org(org).target(&org);
        tx.emit(event.data(json!({ "why": why })).into());
    }
    Ok(())
}

/// Erases what killed runs left behind, until told to stop; the same in several processes does no harm.
pub async fn sweep(app: App, stop: CancellationToken) {
    loop {
        let swept = sweep_once(&app).await;
        let wait = if swept.is_ok() { INTERVAL } else { RETRY };
        if let Err(error) = swept {
            tracing::debug!(error = &error as &dyn std::error::Error, "sweeping waits for the database");
        }
        if stop.run_until_cancelled(sleep(wait)).await.is_none() {
            return;
        }
    }
}

async fn sweep_once(app: &App) -> DbResult<()> {
    let now = app.clock.now();
    let tx = app.db.system(Work::Smoke).await?;
    catches::erase(&tx, now.minus(KEPT)).await?;
    let organizations = old(&tx, now.minus(LIFETIME)).await?;
    tx.commit().await?;
    for organization in organizations {
        let tx = app.db.system(Work::Smoke).await?;
        one(app, &tx, organization.id, "an hour old").await?;
        tx.commit().await?;
    }
    Ok(())
}
