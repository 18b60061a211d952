//! The decisions, one use case a file.

pub(crate) mod change_role;
pub(crate) mod found_organization;
