//! A running `platform`, ended with its test.

use reqwest::{Client, Response};
use serde_json::Value;
use std::{
    fs::{self, Permissions},
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use testing::Database;

/// The master key of every installation here.
pub(crate) const MASTER_KEY: &str = "dGVzdHMgdGVzdHMgdGVzdHMgdGVzdHMgdGVzdHMgISE=";

/// The binary, without what this process was told.
pub(crate) fn platform() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_platform"));
    command.env_remove("DATABASE_URL").env_remove("LOG_LEVEL");
    command
}

/// The same, with the settings of an installation.
pub(crate) fn installed(database: &Database) -> Command {
    let mut command = platform();
    command.env("DATABASE_URL", database.app_url()).env("EAP_MASTER_KEY", MASTER_KEY);
    command.env("EAP_PUBLIC_URL", "http://platform.test").env("EAP_SMTP_URL", "smtp://127.0.0.1:9");
    command.env("EAP_MAIL_FROM", "platform@example.com").env("EAP_RATE_LIMIT_ADDRESS", "0");
    command.env("EAP_RATE_LIMIT_PERSON", "0");
    command
}

/// A folder that also an unprivileged PostgreSQL may enter.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// A process; killed when dropped, if it still runs.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// How it ended, which it must soon.
    pub(crate) fn ends_within(&mut self, limit: Duration) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < limit, "still runs after {limit:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// As `kill -9` does it.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        assert_eq!(self.0.wait().unwrap().signal(), Some(9));
    }

    /// As whoever operates it does it; how it ended.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.ends_within(Duration::from_secs(30))
    }
}

/// `platform serve`, ready.
pub(crate) struct Served {
    pub(crate) process: Process,
    pub(crate) base: String,
}

impl Served {
    /// One service, or all of them.
    pub(crate) async fn start(database: &Database, service: Option<&str>) -> Self {
        let served = Self::spawn(installed(database), service);
        served.until_ready().await;
        served
    }

    /// Not waited for.
    pub(crate) fn spawn(mut command: Command, service: Option<&str>) -> Self {
        let port = free_port();
        command.arg("serve").args(service).args(["--port", &port.to_string()]);
        command.args(["--metrics-port", "0"]).stdout(Stdio::null()).stderr(Stdio::null());
        Self { process: Process(command.spawn().unwrap()), base: format!("http://127.0.0.1:{port}") }
    }

    pub(crate) async fn until_ready(&self) {
        let url = format!("{}/health/ready", self.base);
        until(async || client().get(&url).send().await.is_ok_and(|answer| answer.status() == 200)).await;
    }
}

/// A platform that may deliver to this machine, on a database.
pub(crate) struct Dev {
    pub(crate) process: Process,
    pub(crate) api: String,
}

impl Dev {
    pub(crate) async fn start(database: &Database, folder: &Path) -> Self {
        Self::spawn(platform(), database, folder).await
    }

    /// The same, told something.
    pub(crate) async fn spawn(command: Command, database: &Database, folder: &Path) -> Self {
        Self::spawn_on(command, database, folder, free_port()).await
    }

    /// On a port that another had before, or will have.
    pub(crate) async fn start_on(database: &Database, folder: &Path, port: u16) -> Self {
        Self::spawn_on(platform(), database, folder, port).await
    }

    async fn spawn_on(mut command: Command, database: &Database, folder: &Path, port: u16) -> Self {
        command.args(["dev", "--port", &port.to_string(), "--data-dir"]).arg(folder);
        command.env("DATABASE_URL", database.app_url()).env("EAP_RATE_LIMIT_ADDRESS", "0");
        command.env("EAP_RATE_LIMIT_PERSON", "0").stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process(command.spawn().unwrap());
        let url = format!("http://127.0.0.1:{port}/health/ready");
        until(async || client().get(&url).send().await.is_ok_and(|answer| answer.status() == 200)).await;
        Self { process, api: format!("http://127.0.0.1:{port}/v1") }
    }

    /// Of the test user.
    pub(crate) async fn token(&self) -> String {
        let login = serde_json::json!({ "email": "test@example.com", "password": "test123" });
        let mut token = None;
        // The test user comes a moment after readiness.
        until(async || {
            let answer = client().post(format!("{}/auth/login", self.api)).json(&login).send().await.unwrap();
            if answer.status() == 200 {
                token = json(answer).await["access_token"].as_str().map(str::to_owned);
            }
            token.is_some()
        })
        .await;
        token.unwrap()
    }

    /// The answer to what succeeds.
    pub(crate) async fn post(&self, token: &str, path: &str, body: Value) -> Value {
        let request = client().post(format!("{}/{path}", self.api)).bearer_auth(token).json(&body);
        json(request.send().await.unwrap()).await
    }
}

/// Without a proxy, and without waiting for ever.
pub(crate) fn client() -> Client {
    Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap()
}

/// Asks again until it is so.
pub(crate) async fn until(ask: impl AsyncFnMut() -> bool) {
    until_within(Duration::from_secs(30), ask).await;
}

/// The same, for what takes longer.
pub(crate) async fn until_within(limit: Duration, mut ask: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !ask().await {
        assert!(start.elapsed() < limit, "not so within {limit:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// An organization made by an operator, with an owner whose password is [`PASSWORD`].
pub(crate) fn create_organization(database: &Database, owner: &str) {
    use std::io::Write;
    let mut command = installed(database);
    command.args(["admin", "create-organization", "--name", "Acme", "--owner", owner]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

pub(crate) const PASSWORD: &str = "correct horse battery";

/// A fresh access token.
pub(crate) async fn token(base: &str, email: &str) -> String {
    let body = serde_json::json!({ "email": email, "password": PASSWORD });
    let answer = client().post(format!("{base}/v1/auth/login")).json(&body).send().await.unwrap();
    json(answer).await["access_token"].as_str().unwrap().to_owned()
}

/// The body of a success.
pub(crate) async fn json(answer: Response) -> Value {
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    assert!(status.is_success(), "{status} {body}");
    body
}

/// What is left of a folder's path in what was printed is that of no machine.
pub(crate) fn without(text: &str, folder: &Path) -> String {
    text.replace(&folder.display().to_string(), "FOLDER").replace(env!("CARGO_BIN_EXE_platform"), "PLATFORM")
}

/// A folder of `tests/clients`, with what it needs installed.
pub(crate) fn client_libraries(name: &str) -> PathBuf {
    let mut xtask = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    xtask.args(["run", "--quiet", "--package", "xtask", "--", "client-libraries", name]);
    let output = xtask.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "the clients of {name} cannot be installed");
    String::from_utf8(output.stdout).unwrap().lines().last().unwrap().into()
}
