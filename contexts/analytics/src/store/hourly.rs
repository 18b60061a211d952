//! `analytics_hourly`, `analytics_hourly_people`: the roll-ups, kept in the transaction of the events.

use db::{Done, OrgRead, SystemTx, row, sql};
use types::{OrgId, Timestamp, Uuid};

row! {
    /// The value of an hour or a day.
    #[derive(Debug)]
    pub(crate) struct PointRow { at: Option<Timestamp>, value: i64 }
}

sql! {
    /// So many more in these hours; they come in the order of their keys.
    pub fn add(tx: SystemTx, orgs: &[OrgId], names: &[i32], hours: &[Timestamp], events: &[i64]) -> exec Done =
        "INSERT INTO analytics_hourly AS known (org_id, name_id, hour, events)
         SELECT * FROM unnest($1::uuid[], $2::int4[], $3::timestamptz[], $4::int8[])
         ON CONFLICT (org_id, name_id, hour) DO UPDATE SET events = known.events + excluded.events";

    /// Who was there in these hours; they come in the order of their keys.
    pub fn add_people(tx: SystemTx, orgs: &[OrgId], names: &[i32], hours: &[Timestamp], people: &[Uuid]) -> exec Done =
        "INSERT INTO analytics_hourly_people (org_id, name_id, hour, person)
         SELECT * FROM unnest($1::uuid[], $2::int4[], $3::timestamptz[], $4::uuid[])
         ON CONFLICT (org_id, name_id, hour, person) DO NOTHING";

    /// How often, by `hour` or `day`; nothing for those without any.
    pub fn events(db: OrgRead, org: OrgId, name: i32, since: Timestamp, until: Timestamp, interval: &str) -> all PointRow =
        "SELECT date_trunc($5, hour, 'UTC') AS at, sum(events)::int8 AS value FROM analytics_hourly
         WHERE org_id = $1 AND name_id = $2 AND hour >= $3 AND hour < $4 GROUP BY 1 ORDER BY 1";

    /// How many different people, by `hour` or `day`; nothing for those without any.
    pub fn uniques(db: OrgRead, org: OrgId, name: i32, since: Timestamp, until: Timestamp, interval: &str) -> all PointRow =
        "SELECT date_trunc($5, hour, 'UTC') AS at, count(DISTINCT person) AS value FROM analytics_hourly_people
         WHERE org_id = $1 AND name_id = $2 AND hour >= $3 AND hour < $4 GROUP BY 1 ORDER BY 1";
}
