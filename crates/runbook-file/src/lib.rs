//! `runbook.toml`: where the environments are and what is shipped to them. One file, and this is its one reader: for
//! `runbook`, and for `platform smoke --env`.

mod environment;
mod problem;
mod release;
mod secret;
mod service;
mod tools;
mod window;

pub use environment::{Aws, Cluster, Database, DatabaseKind, Environment};
pub use problem::Problem;
pub use release::Release;
pub use secret::Secret;
pub use service::Service;
pub use tools::Tools;
pub use window::{Span, Window};

use serde::Deserialize;
use std::{collections::BTreeMap, fs, ops::Range, path::Path};
use toml::Spanned;

/// What the file is called; it lies beside `Cargo.toml`.
pub const NAME: &str = "runbook.toml";

/// The whole file, in the order in which it is written.
#[derive(Debug)]
pub struct RunbookFile {
    /// By name, as in `production`.
    pub environments: Vec<(String, Environment)>,
    /// By name, which is also that of Deployment, container and Service: `auth-service`.
    pub services: Vec<(String, Service)>,
    /// Minimum versions that stand in for the document's.
    pub tools: Tools,
    /// What a release changes and makes here.
    pub release: Release,
    /// `owner/name` on GitHub.
    pub github: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    environments: BTreeMap<String, Spanned<Environment>>,
    #[serde(default)]
    services: BTreeMap<String, Spanned<Service>>,
    #[serde(default)]
    tools: Tools,
    #[serde(default)]
    release: Release,
    github: Option<String>,
}

impl RunbookFile {
    /// The file of a folder.
    pub fn read(folder: &Path) -> Result<Self, Problem> {
        let path = folder.join(NAME);
        let text = fs::read_to_string(&path).map_err(|error| Problem::unreadable(&path, &error))?;
        Self::parse(&text)
    }

    /// Of its text.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let written: Written = toml::from_str(text).map_err(|error| Problem::of_toml(&error, text))?;
        for environment in written.environments.values() {
            let checked = environment.get_ref().check();
            checked.map_err(|message| Problem::at(text, &environment.span(), message))?;
        }
        Ok(Self {
            environments: in_order(written.environments),
            services: in_order(written.services),
            tools: written.tools,
            release: written.release,
            github: written.github,
        })
    }

    /// The environment of a name; the error says which there are.
    pub fn environment(&self, name: &str) -> Result<&Environment, Problem> {
        let found = self.environments.iter().find(|(known, _)| known == name);
        let names = || self.environments.iter().map(|(name, _)| name.as_str());
        found.map(|(_, environment)| environment).ok_or_else(|| Problem::no_environment(name, names()))
    }
}

/// A map forgets the order of its text, and the places in it remember.
fn in_order<T>(map: BTreeMap<String, Spanned<T>>) -> Vec<(String, T)> {
    let mut all: Vec<_> = map.into_iter().collect();
    all.sort_by_key(|(_, value)| {
        let Range { start, .. } = value.span();
        start
    });
    all.into_iter().map(|(name, value)| (name, value.into_inner())).collect()
}

#[cfg(test)]
mod tests;
