//! The HTTP shape that all contexts share: problems, extractors, lists, idempotency, layers, health, OpenAPI.
//! It knows no context: who a token names comes through [`Authority`], filled by `platform`.

mod app;
mod authority;
mod body;
mod caller;
mod client;
mod code;
mod denials;
mod exceptions;
pub mod health;
mod idempotency;
pub mod jobs;
pub mod layers;
mod limits;
pub mod metrics;
mod objects;
pub mod openapi;
mod page;
mod path;
mod precondition;
mod problem;
mod response;
pub mod revocation;
pub mod smoke;
mod token_cache;
mod validate;

pub use app::{ApiConfig, App, AppParts};
pub use authority::{Authority, Bearer, Claims};
pub use body::{BodyDigest, ValidJson};
pub use caller::{Caller, Can, Session};
pub use client::{Client, Network, NotANetwork};
pub use code::Code;
pub use denials::Denials;
pub use health::Health;
pub use idempotency::{Idempotency, Owner, Remembers};
pub use limits::{Left, Limits, Policy, Quotas};
pub use metrics::Metrics;
pub use page::{Cursor, Limit, Page};
pub use path::{PathId, ValidQuery};
pub use precondition::IfMatch;
pub use problem::{FieldError, Problem};
pub use response::{Created, WithEtag};
pub use revocation::Revocations;
pub use smoke::Smoke;
pub use token_cache::TokenCache;
pub use validate::{Validate, Violations};

/// Every statement of this crate.
pub const STATEMENTS: &[&[db::Sql]] = &[
    idempotency::statements::ALL,
    jobs::statements::ALL,
    revocation::statements::ALL,
    smoke::catches_statements::ALL,
    smoke::erase_statements::ALL,
];
