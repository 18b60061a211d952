//! What is decided about endpoints, messages and deliveries, one use case a file.

pub(crate) mod create_endpoint;
pub(crate) mod erase;
pub(crate) mod retry_delivery;
pub(crate) mod rotate_secret;
pub(crate) mod send_message;
pub(crate) mod test_endpoint;
pub(crate) mod update_endpoint;

use crate::model::headers::Headers;
use db::{DbError, secrets::SecretError};

/// Why a use case does nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no such thing")]
    NotFound,
    #[error("another version is current")]
    OtherVersion,
    #[error("the endpoint is disabled")]
    Disabled,
    #[error("too many headers")]
    TooManyHeaders,
    #[error("the message is gone")]
    MessageGone,
    #[error("the organization has as many endpoints as it can have")]
    TooManyEndpoints,
    #[error("a sealed value cannot be used")]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Database(#[from] DbError),
}

/// What an endpoint's owner writes.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) url: String,
    pub(crate) event_types: Vec<String>,
    pub(crate) channels: Vec<String>,
    pub(crate) description: Option<String>,
    pub(crate) headers: Headers,
    pub(crate) rate_limit: Option<i32>,
    pub(crate) max_concurrency: i32,
    pub(crate) enabled: bool,
}
