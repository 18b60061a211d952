//! Types and pure rules.

pub(crate) mod password;
pub(crate) mod token;
