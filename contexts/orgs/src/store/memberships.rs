//! Memberships: who belongs where, in which role, with copies of what a directory shows.

use db::{Done, OrgRead, OrgTx, PersonTx, SystemTx, row, sql};
use types::{OrgId, Timestamp, UserId};

row! {
    /// A member, as the organization sees one.
    #[derive(Debug, Clone)]
    pub struct MemberRow {
        user_id: UserId,
        email: String,
        email_key: String,
        name: Option<String>,
        role: String,
        status: String,
        mfa: bool,
        last_seen_at: Option<Timestamp>,
        created_at: Timestamp,
    }
}
row! {
    /// A membership, as a sign-in needs one.
    #[derive(Debug, Clone)]
    pub struct Membership { org_id: OrgId, org_name: String, role: String, version: i32 }
}
row! {
    /// A membership's version after a change.
    #[derive(Debug, Clone, Copy)]
    pub struct Changed { version: i32 }
}
row! {
    /// How many.
    #[derive(Debug, Clone, Copy)]
    pub struct Count { count: i64 }
}

sql! {
    /// A new member.
    #[expect(clippy::too_many_arguments, reason = "a row's columns")]
    pub fn insert(tx: SystemTx, org: OrgId, user: UserId, role: &str, email: &str, email_key: &str, name: Option<&str>, now: Timestamp) -> exec Done =
        "INSERT INTO memberships (org_id, user_id, role, email, email_key, name, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";

    /// The membership that a sign-in without organization gets: the one used last, else the oldest.
    pub fn used_last(tx: SystemTx, user: UserId) -> opt Membership =
        "SELECT m.org_id, o.name AS org_name, m.role, m.version FROM memberships m JOIN organizations o ON o.id = m.org_id
         WHERE m.user_id = $1 AND m.status = 'active' AND o.deleted_at IS NULL
         ORDER BY m.last_seen_at DESC NULLS LAST, m.created_at, m.org_id LIMIT 1";

    /// The membership in an organization.
    pub fn of_user(tx: SystemTx, user: UserId, org: OrgId) -> opt Membership =
        "SELECT m.org_id, o.name AS org_name, m.role, m.version FROM memberships m JOIN organizations o ON o.id = m.org_id
         WHERE m.user_id = $1 AND m.org_id = $2 AND m.status = 'active' AND o.deleted_at IS NULL";

    /// The person is here now.
    pub fn touch(tx: SystemTx, user: UserId, org: OrgId, now: Timestamp) -> exec Done =
        "UPDATE memberships SET last_seen_at = $3 WHERE user_id = $1 AND org_id = $2";

    /// Members by address, after a key, those whose address begins with a prefix.
    #[expect(clippy::too_many_arguments, reason = "the list's filters")]
    pub fn list(db: OrgRead, from: &str, until: &str, status: Option<&str>, after_key: &str, after_user: UserId, limit: i64) -> all MemberRow =
        "SELECT user_id, email, email_key, name, role, status, mfa, last_seen_at, created_at FROM memberships
         WHERE org_id = app_org() AND email_key >= $1 AND email_key < $2 AND ($3::text IS NULL OR status = $3)
         AND (email_key, user_id) > ($4, $5) ORDER BY email_key, user_id LIMIT $6";

    /// One member.
    pub fn by_user(db: OrgRead, user: UserId) -> opt MemberRow =
        "SELECT user_id, email, email_key, name, role, status, mfa, last_seen_at, created_at FROM memberships
         WHERE org_id = app_org() AND user_id = $1";

    /// Locks the owners, so that two of them cannot go at once; and counts those who are active.
    pub fn lock_owners(tx: OrgTx) -> one Count =
        "SELECT count(*) AS count FROM (SELECT FROM memberships
         WHERE org_id = app_org() AND role = 'owner' AND status = 'active' FOR UPDATE) owners";

    /// One member, locked: what is decided about them stays true until the transaction ends.
    pub fn lock(tx: OrgTx, user: UserId) -> opt MemberRow =
        "SELECT user_id, email, email_key, name, role, status, mfa, last_seen_at, created_at FROM memberships
         WHERE org_id = app_org() AND user_id = $1 FOR UPDATE";

    /// Another role; older tokens are outdated from then on.
    pub fn set_role(tx: OrgTx, user: UserId, role: &str) -> opt Changed =
        "UPDATE memberships SET role = $2, version = version + 1 WHERE org_id = app_org() AND user_id = $1 RETURNING version";

    /// The copy of a person's name, wherever they are a member.
    pub fn set_name(tx: PersonTx, name: Option<&str>) -> exec Done = "UPDATE memberships SET name = $1 WHERE user_id = app_user()";
}

/// After every address.
pub const END: &str = "\u{10ffff}";

/// Before every member.
pub fn start() -> (String, UserId) {
    (String::new(), UserId(types::Uuid::nil()))
}
