//! Which process holds a lock, and whether it still runs, where that can be told from here.

use rustix::{
    io::Errno,
    process::{Pid, getpid, test_kill_process},
};
use std::fs;

/// A process that no other one is ever taken for: pids come again, also after a restart of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    /// The machine since it was started, and the numbering of processes there: containers have their own.
    pub(super) place: String,
    pub(super) pid: i32,
    /// In ticks since the machine was started.
    pub(super) started: u64,
}

impl Process {
    /// This one; none: the system does not say (it is not Linux), so others wait until the lock has expired.
    pub(crate) fn this() -> Option<Self> {
        let pid = getpid().as_raw_pid();
        let (started, _) = stat(pid)?;
        Some(Self { place: place()?, pid, started })
    }

    /// None: it is elsewhere, and nothing is known from here.
    pub(crate) fn is_alive(&self) -> Option<bool> {
        if place()? != self.place {
            return None;
        }
        // A process of another user may be hidden in `/proc`, and is there all the same.
        let exists = test_kill_process(Pid::from_raw(self.pid)?) != Err(Errno::SRCH);
        Some(exists && stat(self.pid).is_none_or(|(started, ended)| started == self.started && !ended))
    }
}

fn place() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let numbering = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), numbering.display()))
}

/// When it was started, and whether it only waits to be collected (proc(5): fields 22 and 3; the name, field 2, may have
/// spaces and brackets in it).
fn stat(pid: i32) -> Option<(u64, bool)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after) = text.rsplit_once(") ")?;
    let fields: Vec<_> = after.split(' ').collect();
    Some((fields.get(19)?.parse().ok()?, matches!(fields.first(), Some(&"Z" | &"X"))))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_is_told_from_one_that_has_its_number_later() {
        let this = Process::this().unwrap();
        assert_eq!(this.is_alive(), Some(true));
        let earlier = Process { started: this.started - 1, ..this.clone() };
        assert_eq!(earlier.is_alive(), Some(false), "another process has its number now");
        let before_a_restart = Process { place: "elsewhere".into(), ..this.clone() };
        assert_eq!(before_a_restart.is_alive(), None);
        let mut child = Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        child.wait().unwrap();
        assert_eq!(Process { pid, ..this }.is_alive(), Some(false));
    }
}
