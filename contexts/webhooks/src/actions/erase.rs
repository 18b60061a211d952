//! What is past its time goes, a part at a time: no transaction of it is a long one.

use crate::store::{attempts, deliveries, delivery_queue, messages};
use db::{Db, DbResult, Work};
use std::time::Duration;
use types::Timestamp;

/// Deliveries, their attempts and messages are kept so long.
const RETENTION: Duration = Duration::from_hours(30 * 24);
/// Rows of a table that a transaction erases.
const AT_ONCE: i64 = 5_000;

/// Erases all of it. The same in several processes does no harm.
pub async fn run(db: &Db, now: Timestamp) -> DbResult<()> {
    let before = now.minus(RETENTION);
    // A day later: nothing that is still shown or waits lacks its message.
    let messages_before = before.minus(Duration::from_hours(24));
    loop {
        let tx = db.system(Work::Retention).await?;
        let gone = [
            delivery_queue::erase(&tx, before, AT_ONCE).await?,
            attempts::erase(&tx, before, AT_ONCE).await?,
            deliveries::erase(&tx, before, AT_ONCE).await?,
            messages::erase(&tx, messages_before, AT_ONCE).await?,
        ];
        tx.commit().await?;
        if gone.iter().all(|gone| gone.erased < AT_ONCE) {
            return Ok(());
        }
    }
}
