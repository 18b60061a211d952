//! What a running `platform dev` leaves for others: where it is, for `dev env` and `dev psql`.

use super::demo;
use anyhow::{Context, Result};
use private_postgres::Programs;
use std::{
    fs,
    io::Write,
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::Path,
    process::{Command, ExitCode},
};

/// Where it is.
pub(crate) struct Running {
    pub(crate) api: String,
    pub(crate) database: String,
}

const FILE: &str = "running.json";

impl Running {
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let text = serde_json::json!({ "api": self.api, "database": self.database }).to_string();
        let mut options = fs::OpenOptions::new();
        // The URL may hold a password.
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(folder.join(FILE))?;
        Ok(file.write_all(text.as_bytes())?)
    }

    pub(crate) fn remove(folder: &Path) {
        let _ = fs::remove_file(folder.join(FILE));
    }

    fn read(folder: &Path) -> Result<Self> {
        let absent = || format!("no platform dev runs in {}: start one with `cargo xtask dev`", folder.display());
        let text = fs::read_to_string(folder.join(FILE)).with_context(absent)?;
        let value: serde_json::Value = serde_json::from_str(&text)?;
        let member = |name: &str| value[name].as_str().map(str::to_owned).with_context(absent);
        Ok(Self { api: member("api")?, database: member("database")? })
    }
}

/// Where the running platform is.
pub(crate) fn url(folder: &Path) -> Result<String> {
    Ok(Running::read(folder)?.api.trim_end_matches("/v1").to_owned())
}

/// `KEY='value'` lines for `eval`.
pub(crate) async fn print(folder: &Path) -> Result<ExitCode> {
    let running = Running::read(folder)?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let token = demo::token(&client, &running.api).await.context("the running platform gives no token")?;
    for (name, value) in [("API_URL", &running.api), ("DATABASE_URL", &running.database), ("TEST_TOKEN", &token)] {
        println!("export {name}={}", shlex::try_quote(value)?);
    }
    Ok(ExitCode::SUCCESS)
}

/// Becomes psql, as the owner of the tables.
pub(crate) fn psql(folder: &Path) -> Result<ExitCode> {
    let url = Running::read(folder)?.database.replacen("api_platform_app@", "admin_user@", 1);
    let error = Command::new(Programs::find()?.program("psql")).arg(url).exec();
    Err(error).context("psql cannot be started")
}
