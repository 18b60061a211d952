//! CPU time of a process and everything it started, from `/proc`.

use anyhow::{Context, Result};
use std::{collections::HashMap, fs};

/// Seconds of CPU: of the server itself, and of its PostgreSQL.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) server: f64,
    pub(crate) postgres: f64,
}

struct Process {
    parent: u32,
    program: String,
    seconds: f64,
}

/// `USER_HZ`, in which Linux tells times to programs whatever the kernel's own tick is.
const TICKS_A_SECOND: f64 = 100.0;

/// Spent so far.
pub(crate) fn of(root: u32) -> Result<Spent> {
    let processes: HashMap<u32, Process> = fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, process(pid)?)))
        .collect();
    processes.get(&root).context("the server has ended")?;
    let is_of_root = |pid: u32| {
        let mut ancestors = std::iter::successors(Some(pid), |pid| processes.get(pid).map(|process| process.parent));
        ancestors.any(|ancestor| ancestor == root)
    };
    let mut spent = Spent::default();
    for process in processes.iter().filter(|(pid, _)| is_of_root(**pid)).map(|(_, process)| process) {
        *(if process.program == "postgres" { &mut spent.postgres } else { &mut spent.server }) += process.seconds;
    }
    Ok(spent)
}

/// proc(5): the program's name in parentheses, then state, parent and, as the 14th to 17th fields of all, own and waited-for
/// children's time in ticks.
fn process(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, rest) = stat.rsplit_once(") ")?;
    let program = head.split_once('(')?.1.to_owned();
    let fields: Vec<_> = rest.split(' ').collect();
    let ticks: f64 = fields.get(11..15)?.iter().filter_map(|field| field.parse::<f64>().ok()).sum();
    Some(Process { parent: fields.get(1)?.parse().ok()?, program, seconds: ticks / TICKS_A_SECOND })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_spent_something_by_now() {
        let start = std::time::Instant::now();
        while start.elapsed().as_millis() < 60 {}
        assert!(of(std::process::id()).unwrap().server > 0.0);
    }
}
