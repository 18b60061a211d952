//! What `up` is told, and what it tells.

use crate::{Applied, Behind, Blocker, Fence, Running};
use tokio_postgres::Client;

/// What `up` heeds besides the files.
#[derive(Debug, Default)]
pub struct Options {
    /// Images that will run, besides those that were seen: the cluster's, and the one to be rolled out.
    pub must_run: Vec<Running>,
    /// Server processes that may be ended when they are in the way.
    pub cancel: Vec<i32>,
    /// A second session, which looks who is in the way of a statement that waits long, as an index built concurrently may.
    pub watcher: Option<Client>,
    /// The token of the lock under which this runs: nothing is applied any more once somebody has a newer one. Without,
    /// nobody is asked, whatever others hold.
    pub fence: Option<Fence>,
}

/// What happens.
#[derive(Debug)]
pub enum Event<'a> {
    /// A file was applied.
    Applied(&'a Applied),
    /// A lock is not had: it was given back and is tried for again, or lets others pass while it is waited for.
    Waiting {
        /// For which file.
        file: &'a str,
        /// Who is in the way, as far as is known.
        blockers: &'a [Blocker],
    },
    /// A standby is too far behind for a table to be written anew: it is waited for.
    Behind {
        /// For which file.
        file: &'a str,
        /// The standby that is furthest behind.
        behind: &'a Behind,
    },
    /// A process in the way was ended, as asked for.
    Ended(&'a Blocker),
}
