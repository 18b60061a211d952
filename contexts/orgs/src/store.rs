//! Rows of organizations and memberships: the only SQL of this context.

pub(crate) mod memberships;
pub(crate) mod organizations;

/// Every statement of this context.
pub const STATEMENTS: &[&[db::Sql]] = &[organizations::statements::ALL, memberships::statements::ALL];
