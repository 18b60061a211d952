//! Plain SQL files, applied in the order of their full names (runbook, Step 3).
//!
//! One strict order, one `up`, no dirty flag: a file and its record commit together, or each of its statements with its
//! place in the journal, so a run that was killed at any moment is simply started again.

mod apply;
pub mod backfill;
mod blockers;
mod catalog;
mod connect;
mod down;
mod error;
mod failure;
mod fence;
mod file;
mod header;
mod lag;
mod left;
pub mod lint;
mod locks;
mod login;
mod new;
mod patience;
mod place;
pub mod plan;
mod proof;
mod repair;
pub mod roles;
mod running;
pub mod schema;
mod session;
mod status;
mod steps;
mod table;
mod up;
mod verify;
mod words;

pub use apply::{Applied, up};
pub use backfill::{Backfill, BackfillError};
pub use blockers::Blocker;
pub use connect::{ConnectError, connect};
pub use down::down;
pub use error::UpError;
pub use fence::{Fence, raise_fence};
pub use file::{File, FileError, Files};
pub use lag::Behind;
pub use left::Left;
pub use login::{LoginProblem, login_problem};
pub use new::{NewError, new};
pub use place::Place;
pub use proof::Trust;
pub use repair::repair;
pub use running::{Running, seen};
pub use status::{Entry, State, status};
pub use table::Record;
pub use tokio_postgres::{Client, Error as PostgresError};
pub use up::{Event, Options};
pub use verify::{Difference, verify};
