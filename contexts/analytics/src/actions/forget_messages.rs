//! Messages that are past their time go, a part at a time: no transaction of it is a long one.

use crate::store::messages;
use api::App;
use db::{DbResult, Work};
use std::time::Duration;

/// A message that comes again within this time is the same one.
pub(crate) const REMEMBERED: Duration = Duration::from_hours(48);
const AT_ONCE: i64 = 5_000;

/// Erases all of them. The same in several processes does no harm.
pub async fn run(app: &App) -> DbResult<()> {
    let before = app.clock.now().minus(REMEMBERED);
    loop {
        let tx = app.db.system(Work::Retention).await?;
        let erased = messages::erase(&tx, before, AT_ONCE).await?;
        tx.commit().await?;
        if erased.count < AT_ONCE {
            return Ok(());
        }
    }
}
