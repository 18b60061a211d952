//! Sessions: who is signed in where, and the digests of their refresh tokens.

use db::{Done, PersonTx, SystemTx, row, sql};
use types::{OrgId, SessionId, Timestamp, UserId};

row! {
    /// A session, as refreshing needs it.
    #[derive(Debug, Clone)]
    pub(crate) struct SessionRow {
        id: SessionId,
        user_id: UserId,
        org_id: Option<OrgId>,
        version: i32,
        generation: i32,
        refresh_digest: Vec<u8>,
        previous_digest: Option<Vec<u8>>,
        rotated_at: Timestamp,
        auth_time: Timestamp,
    }
}
row! {
    /// A session, as its person sees it.
    #[derive(Debug, Clone)]
    pub(crate) struct OwnSessionRow {
        id: SessionId,
        org_id: Option<OrgId>,
        user_agent: Option<String>,
        address: Option<String>,
        created_at: Timestamp,
        last_seen_at: Timestamp,
        expires_at: Timestamp,
    }
}
row! {
    /// A session's version after it was revoked.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct RevokedRow { id: SessionId, version: i32 }
}

sql! {
    /// A new session.
    #[expect(clippy::too_many_arguments, reason = "a row's columns")]
    pub fn insert(tx: SystemTx, id: SessionId, user: UserId, org: Option<OrgId>, refresh_digest: &[u8],
        user_agent: Option<&str>, address: &str, now: Timestamp, expires_at: Timestamp) -> exec Done =
        "INSERT INTO sessions (id, user_id, org_id, refresh_digest, user_agent, address, rotated_at, auth_time, created_at,
             last_seen_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $7, $7, $8)";

    /// A live session, locked: two refreshes at once get the same child.
    pub fn live(tx: SystemTx, id: SessionId, now: Timestamp) -> opt SessionRow =
        "SELECT s.id, s.user_id, s.org_id, s.version, s.generation, s.refresh_digest, s.previous_digest, s.rotated_at,
             s.auth_time
         FROM sessions s JOIN users u ON u.id = s.user_id
         WHERE s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND u.status = 'active' FOR UPDATE OF s";

    /// The next generation, perhaps for another organization.
    pub fn rotate(tx: SystemTx, id: SessionId, refresh_digest: &[u8], org: Option<OrgId>, now: Timestamp) -> exec Done =
        "UPDATE sessions SET previous_digest = refresh_digest, refresh_digest = $2, generation = generation + 1,
             org_id = $3, rotated_at = $4, last_seen_at = $4 WHERE id = $1";

    /// Ends a session.
    pub fn revoke(tx: SystemTx, id: SessionId, now: Timestamp) -> opt RevokedRow =
        "UPDATE sessions SET revoked_at = $2, version = version + 1 WHERE id = $1 AND revoked_at IS NULL
         RETURNING id, version";

    /// Ends one of the person's own sessions.
    pub fn revoke_own(tx: PersonTx, id: SessionId, now: Timestamp) -> opt RevokedRow =
        "UPDATE sessions SET revoked_at = $2, version = version + 1
         WHERE user_id = app_user() AND id = $1 AND revoked_at IS NULL AND expires_at > $2 RETURNING id, version";

    /// Ends all of the person's own sessions but one.
    pub fn revoke_others(tx: PersonTx, but: SessionId, now: Timestamp) -> all RevokedRow =
        "UPDATE sessions SET revoked_at = $2, version = version + 1
         WHERE user_id = app_user() AND id <> $1 AND revoked_at IS NULL AND expires_at > $2 RETURNING id, version";

    /// The person's live sessions, after one.
    pub fn own(tx: PersonTx, after: Option<SessionId>, now: Timestamp, limit: i64) -> all OwnSessionRow =
        "SELECT id, org_id, user_agent, address, created_at, last_seen_at, expires_at FROM sessions
         WHERE user_id = app_user() AND revoked_at IS NULL AND expires_at > $2 AND ($1::uuid IS NULL OR id > $1)
         ORDER BY id LIMIT $3";
}
