//! `platform keys`

use crate::{cli::KeysCommand, settings::Settings};
use anyhow::{Context, Result};
use db::{Db, secrets::MasterKey};
use identity::SigningKeys;
use std::process::ExitCode;
use types::{Clock, Rng};

pub(crate) async fn run(command: KeysCommand) -> Result<ExitCode> {
    let settings = Settings::from_environment()?;
    let master_key = MasterKey::parse(settings.required("EAP_MASTER_KEY")?).context("EAP_MASTER_KEY")?;
    let db = Db::new(&db::Options { url: settings.required("DATABASE_URL")?.to_owned(), max_connections: 1 })?;
    let keys = SigningKeys::new("", master_key, Clock::system(), Rng::system());
    match command {
        KeysCommand::List => {
            for key in keys.list(&db).await? {
                let state = key.retired_at.map_or_else(|| "in use".to_owned(), |at| format!("retired {at}"));
                println!("{}  made {}  signs from {}  {state}", key.id, key.created_at, key.signs_from);
            }
        }
        KeysCommand::Rotate => {
            let id = keys.rotate(&db).await?;
            println!(
                "{id} signs in two minutes; retire the one before once its last tokens have expired (10 minutes later)"
            );
        }
        KeysCommand::Retire { id } => {
            keys.retire(&db, &id).await?;
            println!("{id} is retired: every process refuses its tokens within ten seconds");
        }
    }
    Ok(ExitCode::SUCCESS)
}
