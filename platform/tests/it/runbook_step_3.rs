//! The runbook's Step 3, each of its lines as the document has it, in the document's order; what they said becomes a
//! page of the manual.
//!
//! Stand-ins are what is outside: Amazon is moto; this machine's PostgreSQL answers for `prod-db.example.com:5432`,
//! because no name server here knows that host; and the clock is the document's, since the id of a snapshot is made of
//! one line's time and written out in the next.

use crate::{
    backup_rds::{Amazon, installed_aws},
    process::folder,
};
use migrate::{Files, Options};
use private_postgres::{Cluster, Programs, Purpose};
use std::{
    fmt::Write as _,
    fs,
    process::{Command, Output},
};
use testing::{migrations, project};

/// What each command of the step has in its output.
const EXPECTED: [&str; 8] = [
    "",
    "✗ 20250117_add_webhooks_table.sql (pending)",
    "CREATE TABLE endpoints",
    "\"DBSnapshotIdentifier\": \"prod-db-snapshot-20250117-140000\"",
    "\"available\"",
    "",
    "✓ 20250117_add_webhooks_table.sql (",
    "✓ 20250117_add_webhooks_table.sql (applied)",
];

/// The commands of the step's block: comments and empty lines are left out, a line that goes on keeps the next.
fn commands(document: &str) -> Vec<String> {
    let step = document.split("\n### Step 3: ").nth(1).unwrap().split("\n### ").next().unwrap();
    let block = step.split("```bash\n").nth(1).unwrap().split("```").next().unwrap();
    let mut commands: Vec<String> = Vec::new();
    for line in block.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match commands.last_mut().filter(|command| command.ends_with('\\')) {
            Some(command) => command.extend(["\n", line]),
            None => commands.push(line.to_owned()),
        }
    }
    commands
}

/// Two releases ago, as far as the document's example goes: the first files are applied, as the owner.
async fn production(cluster: &Cluster) {
    let root = migrate::connect(&cluster.url("postgres", "postgres")).await.unwrap();
    root.batch_execute("CREATE DATABASE api_platform").await.unwrap();
    let root = migrate::connect(&cluster.url("postgres", "api_platform")).await.unwrap();
    migrate::roles::ensure(&root).await.unwrap();
    let owner = migrate::connect(&cluster.url("admin_user", "api_platform")).await.unwrap();
    let before: Files = migrations().only(|name| name < "20250117");
    migrate::up(&owner, &before, &Options::default(), |_| {}).await.unwrap();
}

/// One shell for all commands, so that what one exports the next one has; what each said follows a line of its own.
fn typed(amazon: &Amazon, commands: &[String]) -> Output {
    const MARK: &str = "printf '\\n=====\\n'";
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("set -eo pipefail; exec 2>&1; {MARK}\n{}", commands.join(&format!("\n{MARK}\n")))]);
    shell.current_dir(project()).env("DB_PASSWORD", "one-of-production").env_remove("DATABASE_URL");
    amazon.prepare(&mut shell);
    shell.output().unwrap()
}

#[tokio::test]
async fn the_lines_of_step_3_work_as_written_and_their_transcript_is_current() {
    let programs = Programs::find().unwrap();
    let data = folder();
    let cluster = Cluster::start(&programs, &data.path().join("cluster"), Purpose::Test).unwrap();
    production(&cluster).await;
    let amazon = Amazon::on_a_good_day(&installed_aws());
    let here = format!("127.0.0.1:{}", cluster.port());
    let platform = env!("CARGO_BIN_EXE_platform");
    amazon.program(
        "platform",
        &format!("DATABASE_URL=$(printf %s \"$DATABASE_URL\" | sed s/prod-db.example.com:5432/{here}/) exec '{platform}' \"$@\""),
    );
    amazon.program("date", "exec /bin/date --date='2025-01-17 14:00:00' \"$@\"");
    amazon.make_instance("prod-db");

    let commands = commands(&fs::read_to_string(project().join("docs/runbooks/deployment.md")).unwrap());
    let output = typed(&amazon, &commands);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let said: Vec<_> = text.split("\n=====\n").skip(1).collect();
    assert_eq!((commands.len(), said.len()), (EXPECTED.len(), EXPECTED.len()), "{commands:#?}");
    let mut page = String::from(
        "# Step 3, line by line\n\nThe lines of [the runbook's Step 3](deployment.md) as a test types them, and what they say. Amazon is an imitation (moto), \
         PostgreSQL a private one that answers for `prod-db.example.com`, and the clock stands at the document's time. \
         Durations and Amazon's own times and ids are left out. Written by `UPDATE_PAGES=1 cargo xtask test the_lines_of_step_3`.\n\n```console\n",
    );
    for ((command, said), expected) in commands.iter().zip(said).zip(EXPECTED) {
        assert!(said.contains(expected), "{command}\n{said}");
        let _ = writeln!(page, "$ {command}\n{}", masked(said));
    }
    testing::assert_page("docs/runbooks/step-3.md", &(page + "```\n"), "the_lines_of_step_3");
}

/// Without what differs from run to run; long output is cut, because a page is for reading.
fn masked(said: &str) -> String {
    let line = |line: &str| {
        let line = line.trim_end();
        let amazons = ["Time\": ", "DbiResourceId\": "].into_iter().find(|name| line.contains(name));
        match (line.strip_prefix('✓').and_then(|line| line.split_once(" (")), amazons) {
            (Some((file, took)), _) if took.ends_with("s)") => format!("✓{file} (…)"),
            (_, Some(name)) => format!("{}{name}…", line.split(name).next().unwrap_or_default()),
            _ => line.to_owned(),
        }
    };
    let lines: Vec<_> = said.trim().lines().map(line).collect();
    match lines.len() {
        0..=24 => lines.join("\n"),
        all => format!("{}\n… ({} lines more)", lines[..12].join("\n"), all - 12),
    }
}
