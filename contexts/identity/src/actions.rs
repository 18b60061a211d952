//! The decisions, one use case a file.

pub(crate) mod login;
pub(crate) mod refresh;
pub(crate) mod register;
pub(crate) mod seed;
pub(crate) mod sign_in;
pub(crate) mod verify_email;
