//! Somebody who deploys with `runbook`: a project's folder with the next version's sources, committed as its release.

use crate::{Installation, Said, given};
use std::{
    fs,
    io::{BufRead as _, BufReader, Lines},
    path::Path,
    process::{Child, ChildStdout, Command},
};
use tempfile::TempDir;

/// What a small machine's production is called here.
const ENVIRONMENT: &str = "staging";

/// A folder with sources, git and `runbook.toml`, and a shell in it.
pub struct Operator<'a> {
    installation: &'a Installation,
    project: TempDir,
}

impl<'a> Operator<'a> {
    /// In a project of its own.
    pub fn new(installation: &'a Installation) -> Self {
        let project = tempfile::tempdir().unwrap();
        let next = given("EAP_TEST_NEXT_SOURCE");
        run(Command::new("cp").args(["--archive", &format!("{next}/.")]).arg(project.path()));
        let operator = Self { installation, project };
        operator.write("runbook.toml", &Self::file());
        operator.write("manifests/all.yaml", &operator.manifests());
        let release = format!("Release {}", given("EAP_TEST_NEXT_VERSION"));
        for words in [&["init", "--quiet"][..], &["add", "--all"], &["commit", "--quiet", "--message", &release]] {
            operator.git(words);
        }
        operator
    }

    /// Of the project.
    pub fn folder(&self) -> &Path {
        self.project.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.project.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn git(&self, words: &[&str]) {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]).args(words);
        run(git.current_dir(self.project.path()));
    }

    fn file() -> String {
        let kubeconfig = given("KUBECONFIG");
        let services = ["auth", "user", "org"].map(|name| {
            format!(
                "[services.{name}-service]\nimage = \"api-platform/{name}-service\"\ndockerfile = \"services/{name}/Dockerfile\"\n"
            )
        });
        format!(
            r#"[environments.{ENVIRONMENT}]
url = "https://api.example.com"
values = ["helm/values-prod.yaml", "tests/cluster/small.yaml"]
manifests = "manifests"
cluster = {{ context = "cluster", namespace = "production", kubeconfig = "{kubeconfig}" }}
database = {{ kind = "postgresql", url = {{ env = "READER_URL" }}, owner_url = {{ env = "OWNER_URL" }} }}

{}"#,
            services.concat()
        )
    }

    /// What `k8s/production` is, for a small machine.
    fn manifests(&self) -> String {
        let line = format!(
            "helm template api-platform helm/api-platform -f helm/values-prod.yaml -f tests/cluster/small.yaml --namespace production --no-hooks --set image.tag={}",
            given("EAP_TEST_VERSION")
        );
        self.installation.shell.lines(&line)
    }

    /// Types a line in the project's folder.
    pub fn types(&self, line: &str) -> Said {
        self.installation.shell.try_lines(&self.there(line))
    }

    fn there(&self, line: &str) -> String {
        let [reader, owner] = ["readonly_user", "admin_user"].map(|role| self.installation.database.url(role));
        let folder = self.project.path().display();
        format!("cd {folder}\nexport READER_URL={reader} OWNER_URL={owner}\nunset NEW_VERSION\n{line}")
    }

    /// Types one that is killed as soon as it has said something that `kills`; what it has said until then.
    pub fn is_killed_at(&self, line: &str, kills: impl FnMut(&str) -> bool) -> String {
        let mut at_work = self.starts(line);
        at_work.says(kills);
        at_work.child.kill().unwrap();
        at_work.child.wait().unwrap();
        at_work.said
    }

    /// Types one, and does not wait until it ends.
    pub fn starts(&self, line: &str) -> AtWork {
        // Of the shell there is nothing left: it becomes what was typed.
        let mut child = self.installation.shell.start(&self.there(&format!("exec {line}")));
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        AtWork { child, lines, said: String::new() }
    }

    /// Types one that must succeed; what it printed.
    pub fn does(&self, line: &str) -> String {
        let said = self.types(line);
        assert!(said.good, "{line}\n{}", said.text);
        said.text
    }
}

/// A program that an operator has started.
pub struct AtWork {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    said: String,
}

impl AtWork {
    /// Waits until it says something that fits.
    pub fn says(&mut self, mut fits: impl FnMut(&str) -> bool) {
        for heard in self.lines.by_ref() {
            let heard = heard.unwrap();
            self.said += &(heard.clone() + "\n");
            if fits(&heard) {
                return;
            }
        }
        panic!("it ended before it said that: {}", self.said);
    }

    /// It stands still, as on a machine that sleeps; what it has started goes on.
    pub fn freezes(&self) {
        self.signal("-STOP");
    }

    /// It goes on, and does not know how long it slept.
    pub fn thaws(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        run(Command::new("kill").args([signal, &self.child.id().to_string()]));
    }

    /// Its exit code, and what it has said since it was last listened to.
    pub fn ends(mut self) -> (Option<i32>, String) {
        let rest: Vec<_> = self.lines.by_ref().map(Result::unwrap).collect();
        (self.child.wait().unwrap().code(), rest.join("\n"))
    }
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}
