//! `analytics_messages`: what was taken in the last two days, so that a message sent again is not taken again.

use db::{SystemTx, row, sql};
use types::{OrgId, Timestamp, Uuid};

row! {
    /// A message that was not taken before.
    #[derive(Debug)]
    pub(crate) struct FreshRow { message: Uuid }
}

row! {
    /// How many rows went.
    #[derive(Debug)]
    pub(crate) struct ErasedRow { count: i64 }
}

sql! {
    /// Takes messages, each once; those that were not taken since `expired`. They come in the order of their keys: two
    /// processes that take the same ones wait for each other in one direction.
    pub fn take(tx: SystemTx, orgs: &[OrgId], messages: &[Uuid], received_at: &[Timestamp], expired: Timestamp) -> all FreshRow =
        "INSERT INTO analytics_messages AS known (org_id, message, received_at)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[])
         ON CONFLICT (org_id, message) DO UPDATE SET received_at = excluded.received_at WHERE known.received_at < $4
         RETURNING message";

    /// Some of those that are past their time; how many.
    pub fn erase(tx: SystemTx, before: Timestamp, limit: i64) -> one ErasedRow =
        "WITH erased AS (
             DELETE FROM analytics_messages
             WHERE ctid = ANY (ARRAY (SELECT ctid FROM analytics_messages WHERE received_at < $1 LIMIT $2)) RETURNING 1
         ) SELECT count(*) AS count FROM erased";
}
