//! `platform migrate`

mod files;

use crate::{cli::migrate::MigrateCommand, schema, settings::Settings};
use anyhow::Result;
use migrate::{Client, Entry, Files, State};
use std::process::ExitCode;

pub(crate) async fn run(command: MigrateCommand) -> Result<ExitCode> {
    match command {
        MigrateCommand::Status { json, exit_code } => status(json, exit_code).await,
        MigrateCommand::Plan { json } => plan(json).await,
        MigrateCommand::Up => up().await,
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

async fn up() -> Result<ExitCode> {
    let (client, files) = connected().await?;
    let tell = |applied: &migrate::Applied| println!("✓ {} ({:.1?})", applied.name, applied.took);
    if migrate::up(&client, &files, tell).await?.is_empty() {
        println!("nothing to do: every migration is applied");
    }
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
