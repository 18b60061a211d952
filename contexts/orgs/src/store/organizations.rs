//! Organizations.

use db::{OrgRead, OrgTx, PersonTx, SystemTx, row, sql};
use types::{OrgId, Timestamp, UserId};

row! {
    /// An organization.
    #[derive(Debug, Clone)]
    pub struct OrganizationRow { id: OrgId, name: String, version: i32, created_at: Timestamp, updated_at: Timestamp }
}

row! {
    /// What a membership copies of a person.
    #[derive(Debug, Clone)]
    pub struct PersonRow { email: String, email_key: String, name: Option<String> }
}

sql! {
    /// The person who founds an organization. The table is identity's; a membership begins with copies of it.
    pub fn person(tx: SystemTx, user: UserId) -> opt PersonRow =
        "SELECT email, email_key, name FROM users WHERE id = $1 AND status = 'active'";

    /// A new one; a synthetic one is erased after an hour.
    pub fn insert(tx: SystemTx, id: OrgId, name: &str, synthetic: bool, now: Timestamp) -> one OrganizationRow =
        "INSERT INTO organizations (id, name, synthetic, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)
         RETURNING id, name, version, created_at, updated_at";

    /// The scope's own.
    pub fn own(db: OrgRead) -> opt OrganizationRow =
        "SELECT id, name, version, created_at, updated_at FROM organizations WHERE id = app_org() AND deleted_at IS NULL";

    /// The scope's own, locked: changes at the same time happen one after the other.
    pub fn own_to_change(tx: OrgTx) -> opt OrganizationRow =
        "SELECT id, name, version, created_at, updated_at FROM organizations WHERE id = app_org() AND deleted_at IS NULL
         FOR NO KEY UPDATE";

    /// Another name.
    pub fn rename(tx: OrgTx, name: &str, now: Timestamp) -> one OrganizationRow =
        "UPDATE organizations SET name = $1, version = version + 1, updated_at = $2
         WHERE id = app_org() AND deleted_at IS NULL
         RETURNING id, name, version, created_at, updated_at";

    /// Those that the person belongs to, after an id.
    pub fn of_person(tx: PersonTx, after: Option<OrgId>, limit: i64) -> all OrganizationRow =
        "SELECT o.id, o.name, o.version, o.created_at, o.updated_at
         FROM memberships m JOIN organizations o ON o.id = m.org_id
         WHERE m.user_id = app_user() AND m.status = 'active' AND o.deleted_at IS NULL AND ($1::uuid IS NULL OR o.id > $1)
         ORDER BY o.id LIMIT $2";
}
