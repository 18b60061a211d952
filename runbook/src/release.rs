//! A version, and the one commit that makes it: images are built from that commit, and its tag names it.

pub(crate) mod changelog;
pub(crate) mod commit;
pub(crate) mod files;
pub(crate) mod repository;
pub(crate) mod version;

pub(crate) use repository::Repository;
pub(crate) use version::Known;
