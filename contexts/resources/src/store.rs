//! The only SQL of this context, one file a table.

pub(crate) mod resource_types;
pub(crate) mod resource_values;
pub(crate) mod resources;

pub(crate) const STATEMENTS: &[&[db::Sql]] = &[
    resource_types::statements::ALL,
    resources::statements::ALL,
    resource_values::statements::ALL,
    resource_values::text::statements::ALL,
    resource_values::number::statements::ALL,
    resource_values::time::statements::ALL,
];
