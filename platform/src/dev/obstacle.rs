//! What keeps `platform dev` from starting, each on a screen with its cause and its cure.

use std::{fmt, fs, net::TcpListener, path::Path};

pub(crate) enum Obstacle {
    /// Somebody else listens there.
    Port { port: u16, holder: Option<String>, free: Option<u16> },
    /// Another `platform dev` has the folder.
    Second { pid: u32 },
    /// No PostgreSQL on this machine.
    NoPrograms(String),
    /// The database was made by another version.
    OtherSchema(String),
}

impl Obstacle {
    /// Looks who has the port, and for the next free one.
    pub(crate) fn port(port: u16) -> Self {
        let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
        Self::Port {
            port,
            holder: holder(port),
            free: (port.saturating_add(1)..port.saturating_add(100)).find(is_free),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        match self {
            Self::Port { port, holder, free } => {
                writeln!(f, "  Port {port} is taken by {}.\n", holder.as_deref().unwrap_or("another program"))?;
                let free = free.map_or_else(|| "0".to_owned(), |free| free.to_string());
                writeln!(f, "  Stop it, or take the next free port:\n\n    platform dev --port {free}")
            }
            Self::Second { pid } => {
                writeln!(f, "  Another platform dev runs in this folder (its PostgreSQL is process {pid}).\n")?;
                writeln!(f, "  Use that one, stop it with Ctrl-C in its terminal, or start this one elsewhere:\n")?;
                writeln!(f, "    platform dev --data-dir .platform-2 --port 0")
            }
            Self::NoPrograms(found) => {
                writeln!(f, "  {found}.\n")?;
                writeln!(f, "  Let it be installed:       cargo xtask dev")?;
                writeln!(f, "  or install it yourself:    sudo apt-get install postgresql")?;
                writeln!(f, "  or name its folder:        PG_BIN=/path/to/bin platform dev")?;
                writeln!(f, "  or use a server you have:  DATABASE_URL=postgresql://… platform dev")
            }
            Self::OtherSchema(file) => {
                writeln!(f, "  This folder's database has a migration that this version does not have as it is:\n")?;
                writeln!(f, "    {file}\n")?;
                writeln!(f, "  Go back to the version that made it, or begin anew beside it:\n")?;
                writeln!(f, "    platform dev --data-dir .platform-2")
            }
        }?;
        writeln!(f)
    }
}

/// The program that listens on a port, as far as /proc tells.
fn holder(port: u16) -> Option<String> {
    let listening = |file: &str| {
        let table = fs::read_to_string(file).ok()?;
        let wanted = format!(":{port:04X}");
        table.lines().find_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let is_it = fields.get(1).is_some_and(|local| local.ends_with(&wanted)) && fields.get(3) == Some(&"0A");
            is_it.then(|| (*fields.get(9)?).to_owned().into())?
        })
    };
    let inode: String = listening("/proc/net/tcp").or_else(|| listening("/proc/net/tcp6"))?;
    let socket = format!("socket:[{inode}]");
    let process = fs::read_dir("/proc").ok()?.flatten().find(|process| has_open(&process.path(), &socket))?;
    let name = fs::read_to_string(process.path().join("comm")).ok()?;
    Some(format!("{} (process {})", name.trim(), process.file_name().to_string_lossy()))
}

fn has_open(process: &Path, socket: &str) -> bool {
    let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_link(file.path()).ok()).any(|target| target.as_os_str() == socket)
}
