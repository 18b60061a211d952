//! Who says what a token means. `api` knows no context, so `platform` fills this struct of functions from them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use types::{MembershipVersion, OrgId, PermissionSet, SessionId, UserId};

/// Verifies an access token's signature, issuer, audience and time; none: it is not valid.
pub type Bearer = Arc<dyn Fn(&str) -> Option<Claims> + Send + Sync>;

/// The functions that know tokens and roles.
#[derive(Clone)]
pub struct Authority {
    /// What an access token claims.
    pub bearer: Bearer,
    /// What the role of that name may do.
    pub permissions_of: fn(&str) -> PermissionSet,
}

/// An access token's claims (RFC 9068).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// The issuer: the platform's public URL.
    pub iss: String,
    /// For whom: `eap`.
    pub aud: String,
    /// The person.
    pub sub: UserId,
    /// Their session.
    pub sid: SessionId,
    /// The client that asked for the token.
    pub client_id: String,
    /// The organization that the token is for, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<OrgId>,
    /// The role in that organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The session's version when the token was issued.
    #[serde(rename = "sv")]
    pub session_version: i32,
    /// The membership's version when the token was issued; 0 without organization.
    #[serde(rename = "mv")]
    pub membership_version: MembershipVersion,
    /// When the person proved who they are, in seconds since 1970.
    pub auth_time: i64,
    /// By what means (RFC 8176).
    pub amr: Vec<String>,
    /// How strongly.
    pub acr: String,
    /// Who acts on the person's behalf (RFC 8693, 4.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<Value>,
    /// Issued at, in seconds since 1970.
    pub iat: i64,
    /// Not valid from then on, in seconds since 1970.
    pub exp: i64,
    /// The token's own id.
    pub jti: String,
}
