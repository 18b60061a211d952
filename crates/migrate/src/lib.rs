//! Plain SQL files, applied in the order of their full names (runbook, Step 3).
//!
//! One strict order, one `up`, no dirty flag: a file and its record commit together, so a run that was killed at any
//! moment is simply started again.

mod apply;
mod blockers;
mod catalog;
mod connect;
mod file;
mod header;
pub mod lint;
mod locks;
mod login;
mod new;
mod patience;
mod place;
pub mod plan;
pub mod roles;
mod running;
mod status;
mod table;
mod words;

pub use apply::{Applied, UpError, up};
pub use blockers::Blocker;
pub use connect::{ConnectError, connect};
pub use file::{File, FileError, Files};
pub use login::{LoginProblem, login_problem};
pub use new::{NewError, new};
pub use place::Place;
pub use running::Running;
pub use status::{Entry, State, status};
pub use table::Record;
pub use tokio_postgres::{Client, Error as PostgresError};
