//! A registry program for the test that pushes: Debian's.

use crate::tools::{on_path, quietly};
use std::process::Command;

const PROGRAM: &str = "docker-registry";

/// Why nothing can be pushed here; none: it can. Who is root on Debian gets the program installed, without starting it.
pub(super) fn missing() -> Option<String> {
    (!is_there()).then(|| format!("pushes to a registry, which need `{PROGRAM}`; Debian's package of that name has it"))
}

fn is_there() -> bool {
    if on_path(PROGRAM) {
        return true;
    }
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    if !is_root || !on_path("apt-get") {
        return false;
    }
    println!("installing {PROGRAM}");
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "-qq", "--no-install-recommends", PROGRAM]);
    // Debian starts no server in run level 1.
    quietly(install.env("RUNLEVEL", "1").env("DEBIAN_FRONTEND", "noninteractive")).is_ok()
}
