//! Secrets of endpoints at rest.

use crate::model::{headers::Headers, secret::SigningSecret};
use api::App;
use db::secrets::{Place, SecretError};
use types::EndpointId;

/// A secret that moves to `sealed_previous_secret` stays what it is, so both have one place.
const SECRET: &str = "sealed_secret";
const HEADERS: &str = "sealed_headers";

fn place<'a>(column: &'static str, row: &'a str) -> Place<'a> {
    Place { table: "endpoints", column, row }
}

pub(crate) fn seal_secret(app: &App, id: EndpointId, secret: &SigningSecret) -> Vec<u8> {
    app.secrets.seal(&app.rng, place(SECRET, &id.to_string()), secret.bytes())
}

pub(crate) fn open_secret(app: &App, id: EndpointId, sealed: &[u8]) -> Result<SigningSecret, SecretError> {
    app.secrets.open(place(SECRET, &id.to_string()), sealed).map(SigningSecret::of_bytes)
}

/// None: there are no headers to keep.
pub(crate) fn seal_headers(app: &App, id: EndpointId, headers: &Headers) -> Option<Vec<u8>> {
    let text = serde_json::to_vec(headers).unwrap_or_default();
    (!headers.is_empty()).then(|| app.secrets.seal(&app.rng, place(HEADERS, &id.to_string()), &text))
}

pub(crate) fn open_headers(app: &App, id: EndpointId, sealed: Option<&[u8]>) -> Result<Headers, SecretError> {
    let Some(sealed) = sealed else { return Ok(Headers::new()) };
    let text = app.secrets.open(place(HEADERS, &id.to_string()), sealed)?;
    serde_json::from_slice(&text).map_err(|_| SecretError::Sealed)
}
