//! `platform dev`: its first screen, what can be pasted from it, and what keeps it from starting.

use crate::process::{Process, folder, free_port, platform, without};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Read, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};
use testing::Database;

/// `platform dev` in a terminal.
pub(crate) struct Dev {
    pub(crate) process: Process,
    pub(crate) screen: String,
    /// Kept open, or its next line would fail.
    _terminal: BufReader<File>,
}

impl Dev {
    /// Started in a folder, with its data in one within; returns when the screen stands.
    pub(crate) fn start(folder: &Path, data_dir: &str) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let shown = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let mut command = platform();
        command.args(["dev", "--port", "0", "--data-dir", data_dir]).current_dir(folder);
        let process = Process(command.stdout(shown).stderr(Stdio::null()).spawn().unwrap());
        // The command held the other end too: without it, the end of the process is the end of the screen.
        drop(command);
        let mut terminal = BufReader::new(File::from(terminal));
        let mut screen = String::new();
        while !screen.trim_end().ends_with("----") {
            assert!(terminal.read_line(&mut screen).unwrap() > 0, "{screen}");
        }
        Self { process, screen: screen.replace('\r', ""), _terminal: terminal }
    }
}

/// What a shell prints when this is pasted, and its last program reads the input.
pub(crate) fn paste(folder: &Path, text: &str, input: &str) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-c", text]).current_dir(folder).env_remove("DATABASE_URL");
    let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    shell.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    String::from_utf8(shell.wait_with_output().unwrap().stdout).unwrap()
}

/// The commands beside a label.
fn beside(screen: &str, label: &str) -> String {
    let lines = screen.lines().skip_while(|line| !line.trim_start().starts_with(label));
    lines.take_while(|line| !line.trim().is_empty()).map(|line| &line[13..]).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_the_first_screen_prints_works_when_pasted() {
    let folder = folder();
    let dev = Dev::start(folder.path(), "data of ada's");
    let answer = paste(folder.path(), &beside(&dev.screen, "Try it"), "");
    let users: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(users["data"].as_array().unwrap().len(), 3, "{answer}");
    let database = beside(&dev.screen, "Database");
    let (_, psql) = database.split_once('\n').unwrap();
    assert!(
        paste(folder.path(), psql, "SELECT email FROM users WHERE email LIKE 'ada@%';").contains("ada@example.com")
    );
    assert!(dev.process.terminate().success());
}

#[test]
fn a_second_start_finds_everything_also_after_kill_9() {
    let folder = folder();
    let first = Dev::start(folder.path(), ".platform");
    let create = "curl -s -o /dev/null -w '%{http_code}' \"$API_URL/resources\" -H \"Authorization: Bearer $TEST_TOKEN\" \
                  --json '{\"type\":\"note\",\"document\":{\"title\":\"kept\"}}'";
    let commands = beside(&first.screen, "Try it");
    let (eval, _) = commands.split_once("\ncurl").unwrap();
    assert_eq!(paste(folder.path(), &format!("{eval}\n{create}"), ""), "201");
    let url = paste(folder.path(), &format!("{eval}\nprintf %s \"$DATABASE_URL\""), "");
    first.process.kill();
    let second = Dev::start(folder.path(), ".platform");
    assert!(second.screen.contains("organization Acme, 3 people, 2 resource types, 6 resources"), "{}", second.screen);
    second.process.terminate();
    // In a terminal that `dev env` gave the first one's database to.
    let mut third = platform();
    third.args(["dev", "--port", "0"]).current_dir(folder.path()).env("DATABASE_URL", url);
    let mut third = Process(third.stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(third.0.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("ready_ms=")), "its own database is started, not waited for");
}

/// What is on the screen when it does not start.
fn obstacle(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let mut command = platform();
    command.arg("dev").args(arguments).current_dir(folder).envs(environment.iter().copied());
    let mut process = Process(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    assert!(!process.ends_within(Duration::from_secs(20)).success());
    let mut text = String::new();
    process.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(text.lines().all(|line| without(line, folder).chars().count() <= 80), "{text}");
    without(&text, folder)
}

#[test]
fn a_port_that_is_taken_is_named_with_its_holder_and_the_next_free_one() {
    let folder = folder();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let text = obstacle(folder.path(), &["--port", &port], &[]);
    assert!(text.contains(&format!("Port {port} is taken by ")), "{text}");
    assert!(text.contains(&format!("(process {})", std::process::id())), "{text}");
    assert!(text.contains("PLATFORM dev --port "), "{text}");
}

#[test]
fn a_second_one_in_the_same_folder_is_told_of_the_first() {
    let folder = folder();
    let _first = Dev::start(folder.path(), ".platform");
    let text = obstacle(folder.path(), &["--port", "0"], &[]);
    assert!(text.contains("Another platform dev runs in this folder"), "{text}");
    assert!(text.contains("PLATFORM dev --data-dir .platform-2 --port 0"), "{text}");
}

#[test]
fn a_database_of_elsewhere_that_is_away_or_is_not_fit_is_one_screen() {
    let folder = folder();
    let url = |url: &str| obstacle(folder.path(), &["--port", "0"], &[("DATABASE_URL", url)]);
    let text = url("postgresql://api_platform_app@db.example.com/api_platform");
    assert!(text.contains("DATABASE_URL names another machine") && text.contains("env -u DATABASE_URL"), "{text}");
    let text = url(&format!("postgresql://api_platform_app@127.0.0.1:{}/api_platform", free_port()));
    assert!(text.contains("cannot be used:") && text.contains("refused"), "{text}");
    let text = url("postgresql://%");
    assert!(text.contains("DATABASE_URL"), "{text}");
}

#[tokio::test]
async fn a_database_without_its_schema_says_how_it_gets_one() {
    let folder = folder();
    // The roles belong to the server: with another database there are some.
    Database::new().await;
    let database = Database::empty().await;
    let text = obstacle(folder.path(), &["--port", "0"], &[("DATABASE_URL", &database.app_url())]);
    assert!(text.contains("is not fit for use") && text.contains("platform migrate up"), "{text}");
    let text = obstacle(folder.path(), &["--port", "0"], &[("DATABASE_URL", &database.superuser_url())]);
    assert!(text.contains("superuser"), "{text}");
}

#[test]
fn a_folder_that_only_its_owner_may_enter_is_refused_to_root_and_good_for_others() {
    let closed = folder();
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
    if !rustix::process::geteuid().is_root() {
        drop(Dev::start(closed.path(), ".platform"));
        return;
    }
    let text = obstacle(closed.path(), &["--port", "0"], &[]);
    assert!(text.contains("other users may not enter"), "{text}");
    assert!(text.contains("PLATFORM dev --data-dir /var/tmp/platform"), "{text}");
}
