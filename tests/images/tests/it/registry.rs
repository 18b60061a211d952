//! `runbook version` and `runbook build` with a real engine and a real registry.

mod killed;

use crate::docker::{docker, printed, project};
use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Debian's `docker-registry`, ended with its test; it lets in who has the login in `docker`, a folder of docker's settings.
struct Registry {
    program: Child,
    address: String,
    /// Where it keeps what it is given.
    images: PathBuf,
    docker: PathBuf,
}

/// `ada` with the password `secret`, as docker keeps it and as the registry does.
const LOGIN: &str = "YWRhOnNlY3JldA==";
const HASH: &str = "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";

impl Registry {
    fn start(folder: &Path) -> Self {
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let (address, images) = (free.to_string(), folder.join("images"));
        let config = format!(
            "version: 0.1\nlog: {{ level: error }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: {address} }}\n\
             auth: {{ htpasswd: {{ realm: tests, path: {} }} }}\n",
            images.display(),
            folder.join("htpasswd").display(),
        );
        let docker = folder.join("docker");
        fs::create_dir(&docker).unwrap();
        fs::write(folder.join("htpasswd"), format!("ada:{HASH}\n")).unwrap();
        fs::write(folder.join("registry.yml"), config).unwrap();
        let program = Command::new("docker-registry")
            .arg("serve")
            .arg(folder.join("registry.yml"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while TcpStream::connect(free).is_err() {
            assert!(start.elapsed() < Duration::from_secs(30), "docker-registry does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        let registry = Self { program, address, images, docker };
        registry.is_logged_in_to(&registry.address);
        registry
    }

    /// The login is for this address.
    fn is_logged_in_to(&self, address: &str) {
        let auths = format!(r#"{{"auths": {{"{address}": {{"auth": "{LOGIN}"}}}}}}"#);
        fs::write(self.docker.join("config.json"), auths).unwrap();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// A project of small services, with a bare repository beside it.
struct Released {
    folder: TempDir,
    docker: PathBuf,
}

impl Released {
    fn new(Registry { address, docker, .. }: &Registry) -> Self {
        Self::of(&["small"], address, docker)
    }

    fn of(services: &[&str], registry: &str, docker: &Path) -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap(), docker: docker.to_owned() };
        let mut file = format!("[environments.production]\nurl = \"https://x\"\nregistry = \"{registry}/team\"\n");
        for service in services {
            file += &this.service(service);
        }
        this.write("runbook.toml", &file);
        let origin = this.folder.path().join("origin.git").display().to_string();
        this.git(&["init", "--quiet", "--bare", "--initial-branch=main", &origin]);
        this.git(&["init", "--quiet", "--initial-branch=main"]);
        this.git(&["remote", "add", "origin", &origin]);
        this.write(".gitignore", "/origin.git\n");
        this.git(&["add", "--all"]);
        this.git(&["commit", "--quiet", "--message", "feat: small"]);
        this.git(&["tag", "v1.2.3"]);
        this.git(&["commit", "--quiet", "--allow-empty", "--message", "fix: smaller"]);
        this.git(&["push", "--quiet", "--tags", "origin", "main"]);
        this
    }

    /// Writes its folder; what `runbook.toml` says of it.
    fn service(&self, name: &str) -> String {
        fs::create_dir_all(self.path().join("services").join(name)).unwrap();
        fs::write(self.path().join(format!("services/{name}/program")), noise(name)).unwrap();
        let dockerfile = format!("services/{name}/Dockerfile");
        let lines = format!(
            "FROM scratch\nARG VERSION=1.2.3\nARG REVISION=unknown\nCOPY services/{name}/program /\n\
             LABEL org.opencontainers.image.revision=\"$REVISION\"\n"
        );
        self.write(&dockerfile, &lines);
        format!("[services.{name}-service]\nimage = \"api-platform/{name}-service\"\ndockerfile = \"{dockerfile}\"\n")
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path()).env("GIT_CONFIG_GLOBAL", "/dev/null").env("DOCKER_CONFIG", &self.docker);
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@example.com");
        }
        command
    }

    fn git(&self, words: &[&str]) -> String {
        printed(&self.command("git").args(words).output().unwrap(), words).trim().to_owned()
    }

    /// What a command of docker's says of its failure.
    fn docker_fails(&self, words: &[&str]) -> String {
        let output = self.command("docker").args(words).output().unwrap();
        assert!(!output.status.success(), "{words:?}");
        said(&output)
    }

    fn runbook(&self, words: &[&str]) -> Output {
        self.line(words).output().unwrap()
    }

    /// `cargo run` becomes what it runs: a signal to it is one to the program.
    fn line(&self, words: &[&str]) -> Command {
        let mut cargo = self.command("cargo");
        cargo.args(["run", "--quiet", "--package", "runbook", "--manifest-path"]).arg(project().join("Cargo.toml"));
        cargo.arg("--").args(words);
        cargo
    }
}

/// A megabyte that no compression makes smaller, and that is another one for each name.
fn noise(name: &str) -> Vec<u8> {
    let mut state = name.bytes().fold(0x9e37_79b9_7f4a_7c15_u64, |state, byte| state.rotate_left(8) ^ u64::from(byte));
    let words = std::iter::repeat_with(|| {
        // Marsaglia's xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(128 * 1024).flatten().collect()
}

/// On either stream.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&*output.stdout, &*output.stderr].concat()).into_owned()
}

#[test]
fn a_release_commit_becomes_an_image_in_the_registry_once() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start(folder.path());
    let released = Released::new(&registry);
    let image = format!("{}/team/api-platform/small-service:1.2.4", registry.address);
    let build = || released.runbook(&["build", "production", "--version", "1.2.4"]);
    assert_eq!(build().status.code(), Some(2), "there is no release commit");
    let written = released.runbook(&["version", "--write"]);
    assert!(written.status.success(), "{}", said(&written));
    let first = build();
    assert!(first.status.success(), "{}", said(&first));
    let digest = docker(&["image", "inspect", "--format", "{{index .RepoDigests 0}}", &image]);
    let (_, digest) = digest.trim().split_once('@').unwrap();
    assert!(said(&first).contains(&format!("{image}@{digest}")), "the registry's digest is docker's: {}", said(&first));
    let revision = "{{index .Config.Labels \"org.opencontainers.image.revision\"}}";
    assert_eq!(
        docker(&["image", "inspect", "--format", revision, &image]).trim(),
        released.git(&["rev-parse", "HEAD"])
    );
    docker(&["image", "rm", "--force", &image]);
    assert_eq!(build().status.code(), Some(5), "the registry has it, and this machine need not");
    released.git(&["tag", "v1.2.4"]);
    let next = released.runbook(&["version"]).stdout;
    assert_eq!(String::from_utf8_lossy(&next), "Current version: 1.2.4\nNew version: 1.2.5\n");
    let latest = released.docker_fails(&["pull", &image.replace(":1.2.4", ":latest")]);
    assert!(latest.contains("manifest unknown") || latest.contains("not found"), "latest stays where it is: {latest}");
}

#[test]
fn an_image_of_another_commit_in_the_registry_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start(folder.path());
    let released = Released::new(&registry);
    let image = format!("{}/team/api-platform/small-service:1.2.4", registry.address);
    assert!(released.runbook(&["version", "--write"]).status.success());
    let context = released.path().display().to_string();
    docker(&[
        "build",
        "--quiet",
        "--build-arg",
        "REVISION=somebody",
        "-f",
        &format!("{context}/services/small/Dockerfile"),
        "-t",
        &image,
        &context,
    ]);
    let push = ["push", "--quiet", &image];
    printed(&released.command("docker").args(push).output().unwrap(), &push);
    docker(&["image", "rm", "--force", &image]);
    let refused = released.runbook(&["build", "production", "--version", "1.2.4"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains(&format!("{image} is there already, of somebody")), "{}", said(&refused));
}
