//! This context on a real database, over HTTP without a socket.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod calls;
mod duplicates;
mod lists;
mod plans;
mod sources;
mod trends;
mod world;
mod writer;
