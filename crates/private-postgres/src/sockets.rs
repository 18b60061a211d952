//! Where a cluster's unix socket is, and how a URL says so.

use crate::user::{self, Unprivileged};
use std::{
    collections::hash_map::RandomState,
    env,
    ffi::OsStr,
    fmt::Write as _,
    fs,
    hash::BuildHasher,
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, chown},
    },
    path::{Path, PathBuf},
};

/// A unix socket's path holds 103 bytes on macOS and 107 on Linux, `/.s.PGSQL.65535` included.
const FOLDER_MAX: usize = 103 - "/.s.PGSQL.65535".len();
const PREFIX: &str = "platform-postgres-";

/// The folder of the socket: the cluster's own, or one for this start alone, which goes when dropped.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(crate) folder: PathBuf,
    temporary: bool,
}

impl Sockets {
    /// In the cluster's folder where its path can be a socket's, else in a private one with a name nobody can foretell.
    pub(crate) fn of(cluster: &Path, user: Option<Unprivileged>) -> io::Result<Self> {
        let note = cluster.join("sockets");
        // Left by a process that was killed.
        if let Ok(text) = fs::read_to_string(&note) {
            remove(Path::new(&text));
            fs::remove_file(&note)?;
        }
        if fits(cluster) {
            return Ok(Self { folder: cluster.to_owned(), temporary: false });
        }
        let may_enter = |folder: &Path| user.is_none() || user::closed_parent(folder).is_none();
        let parents = [env::temp_dir(), PathBuf::from("/tmp")].into_iter().map(|parent| parent.join(name()));
        let folder = parents.into_iter().find(|folder| fits(folder) && may_enter(folder));
        let folder = folder.ok_or_else(|| io::Error::other("no temporary folder with a short path"))?;
        fs::DirBuilder::new().mode(0o700).create(&folder)?; // an error when it exists, be it a link
        let sockets = Self { folder, temporary: true };
        if let Some(user) = user {
            chown(&sockets.folder, Some(user.uid), Some(user.gid))?;
        }
        fs::write(note, sockets.folder.as_os_str().as_bytes())?;
        Ok(sockets)
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        if self.temporary {
            remove(&self.folder);
        }
    }
}

/// Removes a folder that is one of ours by its name.
fn remove(folder: &Path) {
    if folder.file_name().is_some_and(|name| name.as_bytes().starts_with(PREFIX.as_bytes())) {
        let _ = fs::remove_dir_all(folder);
    }
}

/// Each `RandomState` has keys of its own, which the operating system's randomness began.
fn name() -> String {
    format!("{PREFIX}{:016x}", RandomState::new().hash_one(PREFIX))
}

/// Comma and quote separate folders, in PostgreSQL's setting and in a URL.
fn fits(folder: &Path) -> bool {
    let bytes = folder.as_os_str().as_bytes();
    bytes.len() <= FOLDER_MAX && !bytes.iter().any(|byte| b",\"".contains(byte))
}

/// For a URL's query: all but RFC 3986's unreserved characters percent-encoded.
pub(crate) fn encoded(text: &OsStr) -> String {
    text.as_bytes().iter().fold(String::new(), |mut url, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            url.push(char::from(*byte));
        } else {
            let _ = write!(url, "%{byte:02X}"); // a String takes everything
        }
        url
    })
}
