//! What the rules make of objects as the API writes them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod cluster;
mod containers;
mod evidence;
mod pods;
mod readiness;
mod status;
mod tree;
mod watch;
