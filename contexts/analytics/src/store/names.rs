//! `analytics_names`: the dictionary, so that an event carries a number for its kind and name.

use db::{Done, OrgRead, SystemTx, row, sql};
use types::OrgId;

row! {
    /// A name's number.
    #[derive(Debug)]
    pub(crate) struct NameRow { id: i32 }
}

row! {
    /// A name and its number.
    #[derive(Debug)]
    pub(crate) struct EntryRow { org_id: OrgId, kind: String, name: String, id: i32 }
}

sql! {
    /// The number of a name.
    pub fn by_name(db: OrgRead, org: OrgId, kind: &str, name: &str) -> opt NameRow =
        "SELECT id FROM analytics_names WHERE org_id = $1 AND kind = $2 AND name = $3";

    /// The entries of these that there are.
    pub fn find(tx: SystemTx, orgs: &[OrgId], kinds: &[&str], names: &[&str]) -> all EntryRow =
        "SELECT n.org_id, n.kind, n.name, n.id FROM unnest($1::uuid[], $2::text[], $3::text[]) AS given (org_id, kind, name)
         JOIN analytics_names n ON n.org_id = given.org_id AND n.kind = given.kind AND n.name = given.name";

    /// Those that there are not yet. In a fixed order: who else makes them at the same time waits, not both.
    pub fn insert(tx: SystemTx, orgs: &[OrgId], kinds: &[&str], names: &[&str]) -> exec Done =
        "INSERT INTO analytics_names (org_id, kind, name)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) AS given (org_id, kind, name) ORDER BY 1, 2, 3
         ON CONFLICT ON CONSTRAINT analytics_names_key DO NOTHING";
}
