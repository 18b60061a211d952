//! Daily partitions of the event log and of analytics events, made ahead and dropped behind by functions that the schema's
//! owner wrote.

use db::{SystemTx, row, sql};

row! {
    /// How many were missing.
    #[derive(Debug)]
    pub struct Made { made: i32 }
}
row! {
    /// How many were past their time.
    #[derive(Debug)]
    pub struct Dropped { dropped: i32 }
}

sql! {
    /// Makes the partitions of yesterday to `days` ahead; the same again changes nothing.
    pub fn ensure(tx: SystemTx, parent: &str, days: i32) -> one Made = "SELECT ensure_partitions($1, $2) AS made";

    /// Drops whole days that lie more than `days` back; of the event log only what every consumer has read.
    pub fn drop(tx: SystemTx, parent: &str, days: i32) -> one Dropped = "SELECT drop_partitions($1, $2) AS dropped";
}
