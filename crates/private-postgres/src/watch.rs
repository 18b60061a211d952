//! Ends the server of a process that was killed.

use std::{
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

/// Reads the server's process id, then waits for the end of the pipe: only our process holds its other side.
const SCRIPT: &str = "read -r server; read -r end; kill -INT $server";

/// A shell that ends a server when our process dies, however it dies. It goes when dropped, the server stays.
#[derive(Debug)]
pub(crate) struct Watch(Child);

impl Watch {
    /// Begins before there is a server, so that none is ever unwatched.
    pub(crate) fn begin(mut shell: Command) -> io::Result<Self> {
        shell.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // A group of its own: whoever ends our group from outside must not end the watch with it.
        Ok(Self(shell.process_group(0).spawn()?))
    }

    /// Names the server.
    pub(crate) fn over(&mut self, server: u32) -> io::Result<()> {
        self.0.stdin.as_mut().map_or(Ok(()), |pipe| writeln!(pipe, "{server}"))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
