//! A project's folder, and the binary run in it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

/// A folder of its own, with a home and a PATH of its own.
pub(crate) struct Project {
    folder: TempDir,
}

impl Project {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn home(&self) -> std::path::PathBuf {
        self.path().join(".home")
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// A program that comes before every other of its name.
    pub(crate) fn program(&self, name: &str, script: &str) -> &Self {
        self.write(&format!(".programs/{name}"), &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(self.path().join(".programs").join(name), Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// The binary with these words, told nothing by this process's own environment.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        let path = format!("{}:{}", self.path().join(".programs").display(), std::env::var("PATH").unwrap());
        command.args(words).current_dir(self.path()).env("PATH", path).env("HOME", self.home());
        for name in ["KUBECONFIG", "NO_COLOR", "DATABASE_URL", "AWS_PROFILE", "AWS_REGION"] {
            command.env_remove(name);
        }
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_AUTHOR_NAME", "Ada").env("GIT_COMMITTER_NAME", "Ada");
        command.env("GIT_AUTHOR_EMAIL", "ada@example.com").env("GIT_COMMITTER_EMAIL", "ada@example.com");
        command
    }

    pub(crate) fn runbook(&self, words: &[&str]) -> Said {
        Said::of(&self.command(words).output().unwrap())
    }
}

/// How it ended, and what it said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }
}
