//! `platform admin`

use crate::settings::Settings;
use anyhow::{Context, Result, bail};
use db::{Db, Work, secrets::MasterKey};
use identity::{Account, HashCost, Hasher};
use std::{io::Read, process::ExitCode};
use types::{Email, Rng};

/// The first owner of an installation: nobody can register where registering is off.
pub(crate) async fn create_organization(name: &str, owner: &str) -> Result<ExitCode> {
    let settings = Settings::from_environment()?;
    let email = Email::parse(owner).with_context(|| format!("--owner: {owner}"))?;
    let mut password = String::new();
    std::io::stdin().read_to_string(&mut password)?;
    let password = password.trim_end_matches(['\r', '\n']);
    if password.chars().count() < 12 {
        bail!("the password on standard input has fewer than 12 characters");
    }
    let master_key =
        settings.given("EAP_MASTER_KEY").map_or_else(|| Ok(MasterKey::of_secret(b"unused")), MasterKey::parse)?;
    let url = settings.required("DATABASE_URL")?.to_owned();
    let server = crate::server::unbound(url, master_key)?;
    let account = Account::hashed(&Hasher::new(HashCost::Production, &Rng::system()), email, owner, password).await?;
    let organization = found(&server.app, &server.app.db, name, &account).await?;
    println!("{organization} is there; {owner} is its owner");
    Ok(ExitCode::SUCCESS)
}

async fn found(app: &api::App, db: &Db, name: &str, account: &Account) -> Result<String> {
    let tx = db.system(Work::Administration).await?;
    let founder = identity::seed(app, &tx, account).await?;
    let organization = orgs::found(app, &tx, name, &founder).await?;
    tx.commit().await?;
    Ok(organization.id.to_string())
}
