//! Where an environment is, and the key that lets the smoke test in.

use crate::{dev, settings::Settings};
use anyhow::{Context, Result};
use runbook_file::RunbookFile;
use std::path::Path;

const DEVELOPMENT: &str = "development";

/// A place to test.
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) key: String,
    pub(crate) domain: String,
}

/// By URL, or by a name of `runbook.toml`.
pub(crate) fn find(url: Option<&str>, name: Option<&str>, data_dir: &Path) -> Result<Place> {
    let settings = Settings::from_environment()?;
    let domain = settings.value("EAP_SMOKE_DOMAIN").to_owned();
    if name == Some(DEVELOPMENT) {
        let url = dev::environment::url(data_dir)?;
        let key = dev::smoke_key(data_dir)?;
        return Ok(Place { url, key, domain });
    }
    let key = settings.required("EAP_SMOKE_KEY").context("the smoke test uses the installation's key")?;
    let url = match (url, name) {
        (Some(url), _) => url.to_owned(),
        (None, name) => named(name.unwrap_or_default())?,
    };
    Ok(Place { url: url.trim_end_matches('/').to_owned(), key: key.to_owned(), domain })
}

fn named(name: &str) -> Result<String> {
    let file = RunbookFile::read(Path::new(""))?;
    Ok(file.environment(name)?.url.clone())
}
