//! The images at work, with a real PostgreSQL.

use crate::docker::{Container, Network, SERVICES, docker, image};
use private_postgres::{Cluster, Programs, Purpose};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    process::Command,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_mins(1);

/// Asks again until it is so.
async fn until(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !ask().await {
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A migrated database; containers reach it through its socket, for they see no port of this machine.
struct Postgres {
    cluster: Cluster,
    _folder: TempDir,
}

impl Postgres {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let cluster = Cluster::start(&Programs::find().unwrap(), &folder.path().join("pg"), Purpose::Test).unwrap();
        // The image runs as nobody, who must get to the socket; the data beside it stays closed.
        fs::set_permissions(cluster.sockets(), Permissions::from_mode(0o755)).unwrap();
        Self { cluster, _folder: folder }
    }

    /// A command of the image, with the sockets at the same place.
    fn run(&self, image: &str, user: &str, options: &[&str], command: &[&str]) -> String {
        let sockets = self.cluster.sockets().display().to_string();
        let (mount, database) = (format!("{sockets}:{sockets}"), self.cluster.url(user, "postgres"));
        let database = format!("DATABASE_URL={database}");
        let mut all = vec!["run", "--volume", &mount, "--env", &database];
        all.extend(options);
        all.push(image);
        all.extend(command);
        docker(&all).trim().to_owned()
    }
}

#[tokio::test]
async fn each_service_is_live_and_healthy_and_ends_when_told() {
    let (postgres, network) = (Postgres::start(), Network::new());
    postgres.run(&image("auth"), "postgres", &["--rm"], &["migrate", "roles"]);
    postgres.run(&image("auth"), "admin_user", &["--rm"], &["migrate", "up"]);
    let key = docker(&["run", "--rm", &image("auth"), "secrets", "init"]);
    let key = format!("EAP_MASTER_KEY={}", key.trim());
    for service in SERVICES {
        let mut options = vec!["--detach", "--network", &network.0, "--publish", "127.0.0.1:0:3000"];
        options.extend(["--env", &key, "--env", "EAP_PUBLIC_URL=http://platform.test", "--health-interval", "1s"]);
        options.extend(["--env", "EAP_SMTP_URL=smtp://127.0.0.1:9", "--env", "EAP_MAIL_FROM=platform@example.com"]);
        options.extend(["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]);
        let container = Container(postgres.run(&image(service), "api_platform_app", &options, &[]));
        answers(&container, service).await;
        docker(&["stop", "--time", "30", &container.0]);
        assert_eq!(state(&container, "{{.State.ExitCode}}"), "0", "{service} ended by itself");
    }
}

async fn answers(container: &Container, service: &str) {
    let address = docker(&["port", &container.0, "3000/tcp"]);
    let url = format!("http://{}/health/live", address.lines().next().unwrap());
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().unwrap();
    until(&format!("{service} is live"), async || {
        client.get(&url).send().await.is_ok_and(|answer| answer.status() == 200)
    })
    .await;
    until(&format!("{service} is healthy"), async || state(container, "{{.State.Health.Status}}") == "healthy").await;
}

fn state(container: &Container, format: &str) -> String {
    docker(&["inspect", "--format", format, &container.0]).trim().to_owned()
}

#[test]
fn without_its_settings_a_service_says_what_is_missing_and_ends() {
    let output = Command::new("docker").args(["run", "--rm", &image("org")]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("EAP_PUBLIC_URL is not set"), "{error}");
}
