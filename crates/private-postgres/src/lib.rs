//! A private PostgreSQL: finds its programs, makes a cluster in a folder of ours, starts and stops it.
//!
//! On the standard library alone, so that `xtask` can use it before anything else is built.

mod cluster;
mod lock;
mod programs;
mod sockets;
mod user;
mod watch;

pub use cluster::{Cluster, ClusterError, Purpose};
pub use programs::{NotFound, OLDEST, Programs};
