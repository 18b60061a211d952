//! `GET /.well-known/jwks.json`, also under `/v1/auth`

use crate::Identity;
use axum::{Json, extract::State, http::header, response::IntoResponse};

/// The public keys of access tokens (RFC 7517)
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "sign-in", operation_id = "get_jwks",
    responses((status = 200, body = Object, description = "A JSON Web Key Set")),
    security(()),
)]
pub(crate) async fn get_jwks(State(identity): State<Identity>) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "public, max-age=60")], Json(identity.keys.jwks()))
}
