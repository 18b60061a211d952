//! The only way to the database: scoped transactions, checked statements, sealed secrets.
//!
//! `Db::read(org)`, `Db::begin(org)`, `Db::person(user)`, `Db::system(work)` are the doors; nothing hands out a bare
//! connection, so a statement cannot forget whose rows it means.

mod error;
mod outbox;
mod pool;
mod scope;
pub mod secrets;
mod sql;
pub mod tls;
mod transaction;

pub use error::{ConstraintKind, Constraints, DbError, DbResult};
pub use outbox::Outgoing;
pub use pool::{Db, Options, Work};
pub use scope::{In, OrgRead, OrgTx, PersonTx, SystemTx};
pub use sql::{Done, FromRow, ParameterCheck, Sql, check_columns, check_parameters};
pub use transaction::{Params, Tx};

/// Every statement of this crate.
pub const STATEMENTS: &[&[Sql]] = &[&[outbox::INSERT]];

/// What the macros expand to.
#[doc(hidden)]
pub mod private {
    pub use tokio_postgres::{Column, Error, Row, Statement, types};
}
