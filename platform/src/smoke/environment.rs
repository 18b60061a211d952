//! Where an environment is, and the key that lets the smoke test in.

use crate::{dev, settings::Settings};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path};

const FILE: &str = "runbook.toml";
const DEVELOPMENT: &str = "development";

/// A place to test.
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) key: String,
    pub(crate) domain: String,
}

#[derive(Deserialize)]
struct Runbook {
    environments: BTreeMap<String, Environment>,
}

#[derive(Deserialize)]
struct Environment {
    url: String,
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
    let text =
        fs::read_to_string(FILE).with_context(|| format!("{FILE} cannot be read in this folder; or use --url"))?;
    let runbook: Runbook = toml::from_str(&text).context(FILE)?;
    let names: Vec<_> = runbook.environments.keys().cloned().collect();
    let environment = runbook.environments.get(name);
    let environment =
        environment.with_context(|| format!("{FILE} has no environment {name}; it has {}", names.join(", ")))?;
    Ok(environment.url.clone())
}
