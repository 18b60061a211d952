//! This context on a real database, over HTTP without a socket.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod http;
mod indexing;
mod plans;
mod world;
