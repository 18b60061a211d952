//! What keeps `platform dev` from starting, each on a screen with its cause and its cure.

use super::invocation::Invocation;
use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

pub(crate) enum Obstacle {
    /// Somebody else listens there.
    Port { port: u16, holder: Option<String>, free: Option<u16> },
    /// Another `platform dev` has the folder.
    Second { pid: u32 },
    /// No PostgreSQL on this machine.
    NoPrograms(String),
    /// We are root, and the user that PostgreSQL runs as may not enter the folder.
    Closed(PathBuf),
    /// The database was made by another version.
    OtherSchema(String),
    /// DATABASE_URL names a database of another machine.
    Remote,
    /// The database of DATABASE_URL does not answer, or lets nobody in.
    Unreachable(String),
    /// The database of DATABASE_URL cannot be used as it is.
    Unfit(String),
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

    /// Cause and cure, with commands as this process was started.
    pub(crate) fn screen(&self, from: &Invocation) -> String {
        let (cause, cure) = (self.cause(), self.cure(from));
        format!("\n{}\n\n{}\n\n", textwrap::indent(&cause, "  "), textwrap::indent(&cure, "  "))
    }

    fn cause(&self) -> String {
        match self {
            Self::Port { port, holder, .. } => {
                format!("Port {port} is taken by {}.", holder.as_deref().unwrap_or("another program"))
            }
            Self::Second { pid } => {
                format!("Another platform dev runs in this folder (its PostgreSQL is process {pid}).")
            }
            Self::NoPrograms(found) => format!("{found}."),
            Self::Closed(folder) => {
                format!("You are root, PostgreSQL must not be, and other users may not enter\n\n  {}", folder.display())
            }
            Self::OtherSchema(file) => {
                format!("This folder's database has a migration that this version does not have\nas it is:\n\n  {file}")
            }
            Self::Remote => "DATABASE_URL names another machine. `platform dev` makes an account with a\n\
                known password, so it uses databases of this machine only."
                .to_owned(),
            Self::Unreachable(why) => {
                format!(
                    "The database that DATABASE_URL names cannot be used:\n\n{}",
                    textwrap::indent(&textwrap::fill(why, 72), "  ")
                )
            }
            Self::Unfit(why) => {
                format!(
                    "The database that DATABASE_URL names is not fit for use:\n\n{}",
                    textwrap::indent(&textwrap::fill(why, 72), "  ")
                )
            }
        }
    }

    fn cure(&self, from: &Invocation) -> String {
        let own = || format!("Or let it run a PostgreSQL of its own:\n\n  env -u DATABASE_URL {}", from.line("dev"));
        match self {
            Self::Port { free, .. } => {
                let free = free.map_or_else(|| "0".to_owned(), |free| free.to_string());
                format!("Stop it, or take the next free port:\n\n  {} --port {free}", from.line("dev"))
            }
            Self::Second { .. } => format!(
                "Use that one, stop it with Ctrl-C in its terminal, or start this one\nelsewhere:\n\n  {}",
                from.elsewhere(".platform-2 --port 0")
            ),
            Self::NoPrograms(_) => format!(
                "Let it be installed:       cargo xtask dev\n\
                 or install it yourself:    sudo apt-get install postgresql\n\
                 or name its folder:        PG_BIN=/path/to/bin {0}\n\
                 or use a server you have:  DATABASE_URL=postgresql://… {0}",
                from.line("dev")
            ),
            Self::Closed(_) => format!(
                "Work as an ordinary user, or keep the data where others may enter:\n\n  {}",
                from.elsewhere("/var/tmp/platform")
            ),
            Self::OtherSchema(_) => {
                format!(
                    "Go back to the version that made it, or begin anew beside it:\n\n  {}",
                    from.elsewhere(".platform-2")
                )
            }
            Self::Remote => own().replacen("Or let", "Let", 1),
            Self::Unreachable(_) => format!("Start that server, or correct DATABASE_URL.\n\n{}", own()),
            Self::Unfit(_) => format!(
                "Make it fit, as the owner of its tables:\n\n  platform migrate roles\n  platform migrate up\n\n{}",
                own()
            ),
        }
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
