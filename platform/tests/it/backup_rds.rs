//! `platform backup create --rds`: the real `aws` program, against an imitation of Amazon that has a bad day.

use crate::process::{Process, folder, platform};
use serde_json::Value;
use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// `tests/clients/aws`, installed.
fn installed_aws() -> PathBuf {
    let mut xtask = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    xtask.args(["run", "--quiet", "--package", "xtask", "--", "client-libraries", "aws"]);
    let output = xtask.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "aws and moto cannot be installed");
    String::from_utf8(output.stdout).unwrap().lines().last().unwrap().into()
}

/// The imitation, and a folder with the program `aws` that asks it.
struct Amazon {
    _server: Process,
    url: String,
    programs: tempfile::TempDir,
}

impl Amazon {
    fn start(aws: &Path) -> Self {
        let mut server = Command::new("python3");
        server.arg(aws.join("rds.py")).env("PYTHONPATH", aws.join("python"));
        let mut server = Process(server.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
        let mut port = String::new();
        BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let url = format!("http://127.0.0.1:{}", port.trim());
        let programs = folder();
        // Version 1 of the program takes AWS_ENDPOINT_URL for other services, and for RDS only the flag.
        let library = aws.join("python");
        let script = format!(
            "#!/bin/sh\nPYTHONPATH='{}' exec python3 -m awscli --endpoint-url {url} \"$@\"\n",
            library.display()
        );
        let program = programs.path().join("aws");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self { _server: server, url, programs }
    }

    /// With the program first on PATH, and without repetitions of its own.
    fn ask(&self, mut command: Command) -> Result<String, String> {
        let path = format!("{}:{}", self.programs.path().display(), env::var("PATH").unwrap());
        command.env("PATH", path).env("AWS_MAX_ATTEMPTS", "1").env("AWS_DEFAULT_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").env_remove("AWS_PROFILE");
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    fn platform(&self, arguments: &[&str]) -> Result<Value, String> {
        let mut command = platform();
        command.arg("backup").args(arguments).arg("--json");
        self.ask(command).map(|text| serde_json::from_str(&text).unwrap())
    }

    fn shell(&self, script: &str) -> Result<String, String> {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        self.ask(shell)
    }

    async fn calls(&self, action: &str) -> u64 {
        let all: Value = reqwest::get(&self.url).await.unwrap().json().await.unwrap();
        all[action].as_u64().unwrap()
    }
}

#[tokio::test]
async fn a_snapshot_is_taken_once_though_amazon_throttles_fails_and_loses_an_answer() {
    let amazon = Amazon::start(&installed_aws());
    let instance = "aws rds create-db-instance --db-instance-identifier prod-db --engine postgres \
        --db-instance-class db.m6g.large --allocated-storage 20 --master-username a --master-user-password abcdefgh1";
    amazon.shell(instance).unwrap();
    let made = amazon.platform(&["create", "--rds", "prod-db"]).unwrap();
    let id = made["id"].as_str().unwrap();
    let moment = id.strip_prefix("prod-db-snapshot-").unwrap();
    assert!(moment.len() == "20250117-140000".len() && made["status"] == "available", "{made}");
    // Throttled, 503, made with its answer lost, and found to be there.
    assert_eq!(amazon.calls("CreateDBSnapshot").await, 4);
    // Twice it was still being made.
    assert_eq!(amazon.calls("DescribeDBSnapshots").await, 3);
    let listed = amazon.platform(&["list", "--rds", "prod-db"]).unwrap();
    let listed = listed.as_array().unwrap().iter().map(|snapshot| snapshot["id"].as_str().unwrap());
    // Amazon takes one of its own when an instance is made.
    assert_eq!(listed.filter(|id| !id.starts_with("rds:")).collect::<Vec<_>>(), [id]);

    // The runbook's own lines see the same, and what is wrong is not repeated.
    let status = format!(
        "aws rds describe-db-snapshots \\\n  --db-snapshot-identifier {id} \\\n  --query 'DBSnapshots[0].Status'"
    );
    assert_eq!(amazon.shell(&status).unwrap(), "\"available\"\n");
    let by_hand = "aws rds create-db-snapshot \\\n  --db-instance-identifier prod-db \\\n  --db-snapshot-identifier prod-db-snapshot-$(date +%Y%m%d-%H%M%S)-by-hand";
    amazon.shell(by_hand).unwrap();
    let before = amazon.calls("CreateDBSnapshot").await;
    assert!(amazon.platform(&["create", "--rds", "nowhere"]).unwrap_err().contains("DBInstanceNotFound"));
    assert_eq!(amazon.calls("CreateDBSnapshot").await, before + 1);
}
