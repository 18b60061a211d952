//! The HTTP shape, seen from outside: a tiny service, a made-up authority.
#![allow(clippy::unwrap_used, reason = "a test whose service cannot answer must fail")]

mod idempotency;
mod logs;
mod requests;
mod revocation;
mod service;
mod shape;
