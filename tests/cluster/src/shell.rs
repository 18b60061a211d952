//! An operator's shell: the runbook's lines are typed into it as they are written.

use crate::{HOST, NODE, given};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// Runs lines with the tools on PATH, in a folder, on a machine that knows the runbook's host.
pub struct Shell {
    folder: TempDir,
    project: PathBuf,
    environment: Vec<(String, String)>,
}

/// What lines printed.
#[derive(Debug)]
pub struct Said {
    /// Whether the last line succeeded, and all before it.
    pub good: bool,
    /// The exit code of the last; none: it was killed.
    pub code: Option<i32>,
    /// Both streams, as they would be on a screen.
    pub text: String,
}

impl Shell {
    /// In the project's folder; `helm` is this program.
    pub fn new(helm: &str, authority: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name).display().to_string()
        };
        let known = fs::read_to_string("/etc/hosts").unwrap_or_default();
        write("hosts", &format!("{known}\n{NODE} {HOST}\n"));
        let authority = write("authority.pem", authority);
        let (platform, runbook) = (given("EAP_TEST_PLATFORM"), given("EAP_TEST_RUNBOOK"));
        for (name, program) in [("helm", helm), ("platform", &platform), ("runbook", &runbook)] {
            symlink(program, folder.path().join(name)).unwrap();
        }
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap_or_default());
        let environment = [("PATH", path), ("CURL_CA_BUNDLE", authority.clone()), ("SSL_CERT_FILE", authority)];
        let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { folder, project: project(), environment }
    }

    /// Another variable for what follows.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Types lines; the first that fails ends them.
    pub fn try_lines(&self, lines: &str) -> Said {
        let output = self.command(lines).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Said { good: output.status.success(), code: output.status.code(), text }
    }

    /// Types lines and waits for nothing; what they print can be read as it comes.
    pub fn start(&self, lines: &str) -> Child {
        self.command(lines).stdout(Stdio::piped()).spawn().unwrap()
    }

    fn command(&self, lines: &str) -> Command {
        // A mount namespace of its own: only this shell's machine knows the host.
        let script = format!(
            "mount --bind {hosts} /etc/hosts\ncd {project}\nset -euo pipefail\nexec 2>&1\n{lines}\n",
            hosts = self.folder.path().join("hosts").display(),
            project = self.project.display()
        );
        let mut shell = Command::new("unshare");
        shell.args(["--mount", "bash", "-c", &script]).envs(self.environment.iter().map(|(name, value)| (name, value)));
        shell
    }

    /// Types lines that must succeed; what they printed.
    pub fn lines(&self, lines: &str) -> String {
        let said = self.try_lines(lines);
        assert!(said.good, "{lines}\n{}", said.text);
        said.text
    }
}

/// The folder of the project.
fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
