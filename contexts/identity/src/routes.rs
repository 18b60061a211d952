//! The routes of this context.

mod get_jwks;
mod get_me;
mod get_user;
mod list_sessions;
mod list_users;
mod login;
mod logout;
mod refresh;
mod register;
mod resend_verification;
mod revoke_other_sessions;
mod revoke_session;
mod update_me;
mod verify_email;
mod whoami;

use crate::{
    Identity,
    actions::sign_in::{ACCESS, SignedIn},
};
use serde::Serialize;
use types::{OrgId, UserId};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of auth-service.
pub fn auth_routes(identity: Identity) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(register::register))
        .routes(routes!(verify_email::verify_email))
        .routes(routes!(resend_verification::resend_verification))
        .routes(routes!(login::login))
        .routes(routes!(refresh::refresh))
        .routes(routes!(logout::logout))
        .routes(routes!(list_sessions::list_sessions, revoke_other_sessions::revoke_other_sessions))
        .routes(routes!(revoke_session::revoke_session))
        .routes(routes!(whoami::whoami))
        .routes(routes!(get_jwks::get_jwks))
        .route("/v1/auth/.well-known/jwks.json", axum::routing::get(get_jwks::get_jwks))
        .with_state(identity)
}

/// The routes of user-service.
pub fn user_routes(identity: Identity) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_users::list_users))
        .routes(routes!(get_me::get_me, update_me::update_me))
        .routes(routes!(get_user::get_user))
        .with_state(identity)
}

/// Somebody is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignedInResponse {
    /// `ok`; a second factor will have other words.
    #[schema(example = "ok")]
    status: &'static str,
    /// For `Authorization: Bearer`.
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    #[schema(example = 600)]
    expires_in_seconds: u64,
    /// For `POST /v1/auth/refresh`, once.
    refresh_token: String,
    user: SignedInUser,
    /// Null for a person who belongs to none.
    organization: Option<SignedInOrganization>,
}

/// Who.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignedInUser {
    id: UserId,
}

/// Where.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignedInOrganization {
    id: OrgId,
    #[schema(example = "Acme")]
    name: String,
    #[schema(example = "owner")]
    role: String,
}

impl From<SignedIn> for SignedInResponse {
    fn from(signed_in: SignedIn) -> Self {
        let organization = signed_in.membership.map(|membership| SignedInOrganization {
            id: membership.org_id,
            name: membership.org_name,
            role: membership.role,
        });
        Self {
            status: "ok",
            access_token: signed_in.access_token,
            token_type: "Bearer",
            expires_in_seconds: ACCESS.as_secs(),
            refresh_token: signed_in.refresh_token,
            user: SignedInUser { id: signed_in.user },
            organization,
        }
    }
}
