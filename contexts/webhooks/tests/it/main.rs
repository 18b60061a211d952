//! This context's statements on a real database with many rows.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod plans;
