//! `platform migrate`

use crate::{cli::MigrateCommand, schema, settings::Settings};
use anyhow::Result;
use migrate::{Entry, State};
use std::process::ExitCode;

pub(crate) async fn run(command: MigrateCommand) -> Result<ExitCode> {
    if let MigrateCommand::Roles { print: true } = command {
        return Ok(super::print(migrate::roles::SQL));
    }
    let settings = Settings::from_environment()?;
    let client = migrate::connect(settings.required("DATABASE_URL")?).await?;
    let files = schema::files()?;
    match command {
        MigrateCommand::Status { json, exit_code } => {
            let entries = migrate::status(&client, &files).await?;
            show(&entries, json)?;
            Ok(if exit_code { verdict(&entries) } else { ExitCode::SUCCESS })
        }
        MigrateCommand::Up => {
            let tell = |applied: &migrate::Applied| println!("✓ {} ({:.1?})", applied.name, applied.took);
            if migrate::up(&client, &files, tell).await?.is_empty() {
                println!("nothing to do: every migration is applied");
            }
            Ok(ExitCode::SUCCESS)
        }
        MigrateCommand::Roles { .. } => {
            migrate::roles::ensure(&client).await?;
            println!("the roles are there: {}", migrate::roles::NAMES.join(", "));
            println!("give the logins their passwords with \\password, as in: \\password api_platform_app");
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn show(entries: &[Entry], json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(entries)?);
    } else {
        for entry in entries {
            println!("{entry}");
        }
    }
    Ok(())
}

fn verdict(entries: &[Entry]) -> ExitCode {
    let has = |wanted: &[State]| entries.iter().any(|entry| wanted.contains(&entry.state));
    match (has(&[State::Changed, State::Missing]), has(&[State::Pending])) {
        (true, _) => ExitCode::from(3),
        (_, true) => ExitCode::from(2),
        _ => ExitCode::SUCCESS,
    }
}
