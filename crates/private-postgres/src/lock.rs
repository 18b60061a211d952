//! Which server has a data folder, by PostgreSQL's own note, `postmaster.pid`.

use std::{fs, path::Path, process::Command};

/// The process that serves this data folder.
///
/// Removes the note of a server that is gone, and that of its socket: its number may belong to another process by now,
/// and PostgreSQL refuses to start while a process of the same user has it. Were sessions of the old server left, their shared memory, whose
/// key comes from the folder itself, would still keep a new one away.
pub(crate) fn server_of(data: &Path) -> Option<u32> {
    let file = data.join("postmaster.pid");
    let text = fs::read_to_string(&file).ok()?;
    let mut lines = text.lines();
    let pid = lines.next()?.parse().ok()?;
    let named = lines.next().and_then(|named| Path::new(named).canonicalize().ok());
    if serves(pid, data, named.as_deref() == Some(data)) {
        return Some(pid);
    }
    // A server on its way out may have been faster; what cannot be removed, PostgreSQL names when it starts.
    let _ = fs::remove_file(file);
    if let Some(port) = lines.nth(1).filter(|port| port.parse::<u16>().is_ok()) {
        let _ = fs::remove_file(data.with_file_name(format!(".s.PGSQL.{port}.lock")));
    }
    None
}

/// Whether a process is a PostgreSQL that works in this data folder. Where its place is not ours to see, it must have
/// been started with the folder's name, and the note must hold the same.
fn serves(pid: u32, data: &Path, named: bool) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    let line = fs::read(process.join("cmdline")).unwrap_or_else(|_| told_by_ps(pid));
    let holds = |text: &[u8]| line.windows(text.len()).any(|part| part == text);
    holds(b"postgres")
        && match fs::read_link(process.join("cwd")) {
            Ok(folder) => folder == data,
            Err(_) => named && holds(data.as_os_str().as_encoded_bytes()),
        }
}

/// Where there is no /proc.
fn told_by_ps(pid: u32) -> Vec<u8> {
    let output = Command::new("ps").args(["-ww", "-o", "args=", "-p", &pid.to_string()]).output();
    output.map(|output| output.stdout).unwrap_or_default()
}
