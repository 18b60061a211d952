//! The event log's daily partitions, made ahead by a function that the schema's owner wrote.

use db::{SystemTx, row, sql};

row! {
    /// How many were missing.
    #[derive(Debug)]
    pub struct Made { made: i32 }
}

sql! {
    /// Makes the partitions of yesterday to `days` ahead; the same again changes nothing.
    pub fn ensure(tx: SystemTx, parent: &str, days: i32) -> one Made = "SELECT ensure_partitions($1, $2) AS made";
}
