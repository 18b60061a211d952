//! The images as they are shipped, with a Docker engine. `cargo xtask test --stage images` runs these.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by failing")]

mod compose;
mod contents;
mod docker;
mod door;
mod layers;
mod long;
mod registry;
mod running;
