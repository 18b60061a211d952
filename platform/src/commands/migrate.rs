//! `platform migrate`

mod backfill;
mod files;

use crate::{cli::migrate::MigrateCommand, schema, settings::Settings};
use anyhow::{Context as _, Result, bail};
use backup::Folder;
use migrate::{Client, Entry, Event, Files, Options, Running, State, Trust};
use semver::Version;
use std::{process::ExitCode, time::Duration};
use types::Clock;

pub(crate) async fn run(command: MigrateCommand) -> Result<ExitCode> {
    match command {
        MigrateCommand::Status { json, exit_code } => status(json, exit_code).await,
        MigrateCommand::Plan { json } => plan(json).await,
        MigrateCommand::Up { must_run, cancel_blocker } => up(must_run, cancel_blocker).await,
        MigrateCommand::Down { file, scratch, backup, folder, lose_rows } => {
            let backup = backup.map(|id| (Folder::new(folder), id));
            down(&file, scratch.as_deref(), backup, lose_rows).await
        }
        MigrateCommand::Verify { scratch } => verify(&scratch).await,
        MigrateCommand::Backfill { command } => backfill::run(command).await,
        MigrateCommand::Repair { accept, reason } => repair(&accept, &reason).await,
        MigrateCommand::New { name, down, dir } => files::new(&dir, &name, down),
        MigrateCommand::Lint { format, release, dir } => files::lint(&dir, release, format),
        MigrateCommand::Roles { print: true } => Ok(super::print(migrate::roles::SQL)),
        MigrateCommand::Roles { print: false } => roles().await,
    }
}

/// A session with the database, and the files of this binary.
async fn connected() -> Result<(Client, Files)> {
    let settings = Settings::from_environment()?;
    Ok((migrate::connect(settings.required("DATABASE_URL")?).await?, schema::files()?))
}

async fn status(json: bool, exit_code: bool) -> Result<ExitCode> {
    let (client, files) = connected().await?;
    let entries = migrate::status(&client, &files).await?;
    if json {
        println!("{}", serde_json::to_string(&entries)?);
    } else {
        for entry in &entries {
            println!("{entry}");
        }
    }
    Ok(if exit_code { verdict(&entries) } else { ExitCode::SUCCESS })
}

async fn plan(json: bool) -> Result<ExitCode> {
    let (client, files) = connected().await?;
    let plan = migrate::plan::plan(&client, &files).await?;
    if json {
        println!("{}", serde_json::to_string(&plan)?);
    } else {
        print!("{}", migrate::plan::human(&plan));
    }
    Ok(ExitCode::SUCCESS)
}

async fn up(must_run: Vec<Version>, cancel: Vec<i32>) -> Result<ExitCode> {
    let (client, files) = connected().await?;
    let named = |version: Version| Running { service: "--must-run".to_owned(), version: version.to_string() };
    let settings = Settings::from_environment()?;
    let watcher = Some(migrate::connect(settings.required("DATABASE_URL")?).await?);
    let must_run = must_run.into_iter().map(named).collect();
    let options = Options { must_run, cancel, watcher, fence: None };
    if migrate::up(&client, &files, &options, tell).await?.is_empty() {
        println!("nothing to do: every migration is applied");
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(event: &Event) {
    match event {
        Event::Applied(applied) => println!("✓ {} ({:.1?})", applied.name, applied.took),
        Event::Waiting { file, blockers } => {
            println!("… {file} waits for a busy table, and lets others pass meanwhile");
            for blocker in *blockers {
                println!("    in the way: {blocker}");
            }
        }
        Event::Behind { file, behind } => println!("… {file} writes a table anew, and waits: {behind}"),
        Event::Ended(blocker) => println!("    ended process {}", blocker.pid),
    }
}

async fn down(file: &str, scratch: Option<&str>, backup: Option<(Folder, String)>, lose: bool) -> Result<ExitCode> {
    let (client, files) = connected().await?;
    let scratch = match scratch {
        Some(url) => Some(migrate::connect(url).await?),
        None => None,
    };
    let trust = match (&scratch, backup) {
        (Some(scratch), _) => Trust::Scratch(scratch),
        (None, None) => Trust::Here,
        (None, Some((folder, id))) => {
            let name: String = client.query_one("SELECT current_database()::text", &[]).await?.try_get(0)?;
            let applied = migrate::status(&client, &files).await?;
            stands_for(&folder, &id, file, (&name, &applied))?;
            Trust::Backup
        }
    };
    migrate::down(&client, &files, file, trust, lose).await?;
    println!("✗ {file} (undone)");
    Ok(ExitCode::SUCCESS)
}

/// What was written since a backup is in none.
const NEWEST_BACKUP: Duration = Duration::from_hours(24);

/// Whether a backup has what undoing the file would take away, and can be restored.
fn stands_for(folder: &Folder, id: &str, file: &str, (name, applied): (&str, &[Entry])) -> Result<()> {
    let found = folder.list()?.into_iter().find(|backup| backup.manifest.id == id);
    let found =
        found.with_context(|| format!("there is no backup {id}: `platform backup list` shows those that are there"))?;
    if found.verified_at.is_none() {
        bail!("{id} was never restored, so nobody knows whether it can be: `platform backup verify {id}` first");
    }
    let again = "take another one, and verify it";
    if found.manifest.schema.as_deref() != Some(file) {
        let schema = found.manifest.schema.as_deref().unwrap_or("none");
        bail!("{id} was taken when {schema} was the newest migration, not {file}: {again}");
    }
    let record = applied.iter().find(|entry| entry.name == file).and_then(|entry| entry.record.as_ref());
    if name != found.manifest.database || record.and_then(|record| record.run_id) != found.manifest.schema_run {
        bail!("{id} is of another database, or of before {file} was applied once more: {again}");
    }
    let age = Clock::system().now().since(found.manifest.taken_at);
    if age > NEWEST_BACKUP {
        bail!("{id} is {} hours old, and lacks what was written since: {again}", age.as_secs() / 3600);
    }
    Ok(())
}

async fn verify(scratch: &str) -> Result<ExitCode> {
    let (client, files) = connected().await?;
    let difference = migrate::verify(&client, &migrate::connect(scratch).await?, &files).await?;
    if difference.is_empty() {
        println!("the schema is what its files make");
        return Ok(ExitCode::SUCCESS);
    }
    for (title, statements) in [("the files make", &difference.missing), ("no file makes", &difference.unknown)] {
        for statement in statements {
            println!("-- {title}:\n{statement}");
        }
    }
    Ok(ExitCode::from(3))
}

async fn repair(file: &str, reason: &str) -> Result<ExitCode> {
    let (client, files) = connected().await?;
    migrate::repair(&client, &files, file, reason).await?;
    println!("{file}: accepted, and recorded in _migration_repairs");
    Ok(ExitCode::SUCCESS)
}

async fn roles() -> Result<ExitCode> {
    migrate::roles::ensure(&connected().await?.0).await?;
    println!("the roles are there: {}", migrate::roles::NAMES.join(", "));
    println!("give the logins their passwords with \\password, as in: \\password api_platform_app");
    Ok(ExitCode::SUCCESS)
}

fn verdict(entries: &[Entry]) -> ExitCode {
    let has = |wanted: &[State]| entries.iter().any(|entry| wanted.contains(&entry.state));
    match (has(&[State::Changed, State::Missing]), has(&[State::Pending])) {
        (true, _) => ExitCode::from(3),
        (_, true) => ExitCode::from(2),
        _ => ExitCode::SUCCESS,
    }
}
