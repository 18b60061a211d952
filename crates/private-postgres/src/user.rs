//! PostgreSQL refuses to run as root: whom to run as instead.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

/// A user that is not root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unprivileged {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// `postgres` if there is one, else `nobody`; nothing when we are not root ourselves.
pub(crate) fn to_step_down_to() -> Option<Unprivileged> {
    // The owner of our own /proc entry is our effective user; macOS has none, and no one runs this as root there.
    if fs::metadata("/proc/self").ok()?.uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").ok()?;
    ["postgres", "nobody"].into_iter().find_map(|name| entry(&users, name))
}

fn entry(users: &str, name: &str) -> Option<Unprivileged> {
    let fields: Vec<_> =
        users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == name)?;
    Some(Unprivileged { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
}

/// The first of the folder's parents that others may not enter, if any.
pub(crate) fn closed_parent(folder: &Path) -> Option<&Path> {
    let may_not_enter = |parent: &&Path| fs::metadata(parent).is_ok_and(|meta| meta.mode() & 0o001 == 0);
    folder.ancestors().skip(1).find(may_not_enter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_read_from_the_password_file() {
        let users = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65533:n:/:/bin/false\n";
        assert_eq!(entry(users, "nobody"), Some(Unprivileged { uid: 65534, gid: 65533 }));
        assert_eq!(entry(users, "postgres"), None);
    }
}
