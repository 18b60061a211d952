//! A project in a real git repository, with a bare one beside it that is its origin.

use crate::project::Project;
use std::{path::Path, process::Command};

/// A project whose `main` is at origin, without tags.
pub(crate) struct Released {
    pub(crate) project: Project,
    pub(crate) origin: tempfile::TempDir,
}

const FILES: [(&str, &str); 9] = [
    (
        "Cargo.toml",
        "[workspace]\nmembers = [\"app\"]\nresolver = \"3\"\n\n[workspace.package]\nversion = \"1.2.3\" # ours\n",
    ),
    ("app/Cargo.toml", "[package]\nname = \"app\"\nversion.workspace = true\nedition = \"2024\"\n"),
    ("app/src/lib.rs", "//! Empty.\n"),
    (
        "CHANGELOG.md",
        "# Changelog\n\n## [Unreleased]\n\n### Added\n- Keys.\n\n## [1.2.2] - 2026-11-19\n\n### Added\n- Users.\n",
    ),
    ("services/auth/Dockerfile", "FROM scratch\nARG VERSION=1.2.3\nARG REVISION=unknown\n"),
    (
        "helm/values-prod.yaml",
        "replicaCount: 5\n\nimage:\n  tag: 1.2.3\n  pullPolicy: IfNotPresent\n\nmail:\n  tag: 1.2.3\n",
    ),
    (
        "helm/api-platform/Chart.yaml",
        "name: api-platform\nversion: 1.2.3\nappVersion: \"1.2.3\"\nkubeVersion: \">=1.28.0-0\"\n",
    ),
    (
        "k8s/production/deployment.yaml",
        "labels:\n  app.kubernetes.io/version: \"1.2.3\"\nimage: registry.test/api-platform/auth-service:1.2.3\nother: api-platform/auth-service:1.2.3-6f1d\n",
    ),
    ("README.md", "Run `api-platform/auth-service:1.2.3`, of postgres:1.2.3.\n"),
];

impl Released {
    /// With further lines for its `runbook.toml`; the first ones are of production.
    pub(crate) fn new(lines: &str) -> Self {
        let (project, origin) = (Project::new(), tempfile::tempdir().unwrap());
        for (name, text) in FILES {
            project.write(name, text);
        }
        project.write(".gitignore", "/.home\n/.programs\n/registry\n/target\n");
        project.write("runbook.toml", &format!("{TOML}{lines}"));
        project.program("docker", "echo Error: No such image >&2; exit 1");
        // The home is another one, and rustup finds its toolchains there.
        let cargo = Path::new(env!("CARGO"));
        let rustc = cargo.with_file_name("rustc");
        project.program("cargo", &format!("RUSTC={} exec {} \"$@\"", rustc.display(), cargo.display()));
        let this = Self { project, origin };
        let lock = Command::new("cargo")
            .args(["generate-lockfile", "--offline", "--quiet"])
            .current_dir(this.project.path())
            .status();
        assert!(lock.unwrap().success());
        this.git(&["init", "--quiet", "--initial-branch=main"]);
        let bare = Command::new("git")
            .args(["init", "--quiet", "--bare", "--initial-branch=main"])
            .arg(this.origin.path())
            .status();
        assert!(bare.unwrap().success());
        this.git(&["remote", "add", "origin", &this.origin.path().display().to_string()]);
        this.commit("feat: users");
        this.push();
        this
    }

    /// What git prints.
    pub(crate) fn git(&self, words: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
            .args(words)
            .current_dir(self.project.path());
        let output = git.env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Everything there is.
    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    }

    pub(crate) fn push(&self) {
        self.git(&["push", "--quiet", "origin", "main"]);
    }

    pub(crate) fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }
}

const TOML: &str = r#"
[services.auth-service]
image = "api-platform/auth-service"
dockerfile = "services/auth/Dockerfile"

[environments.production]
url = "https://api.example.com"
values = "helm/values-prod.yaml"
"#;
