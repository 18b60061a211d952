//! The document's own prerequisites, driven as programs: one wrapper each, and one way to run them.

pub(crate) mod aws;
mod call;
pub(crate) mod docker;
pub(crate) mod gh;
pub(crate) mod git;
pub(crate) mod helm;
pub(crate) mod kubectl;
pub(crate) mod registry;

pub(crate) use call::{Call, CallError, Ran};
