//! What a run did, kept so that it survives this process: one file a run, a line a record, each on the disk before the
//! next thing is done, each with the hash of all before it.

pub(crate) mod copy;
mod entry;
mod evidence;
mod file;
mod kept;
mod summary;

pub(crate) use copy::Copy;
pub(crate) use entry::{Entry, Event, How};
pub(crate) use file::{Journal, all, entries, folder, is_going_on, new_run};
pub(crate) use kept::Kept;
pub(crate) use summary::{End, Outcome, State, Summary};
