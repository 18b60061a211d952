//! What is asked for, with nothing left to interpret.

use crate::release::version::image_in;
use clap::ValueEnum;
use jiff::Timestamp;
use runbook_file::{Cluster, Environment, Service};
use serde::Serialize;

/// A change to an environment.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// Its name in `runbook.toml`.
    pub(crate) name: &'a str,
    pub(crate) environment: &'a Environment,
    pub(crate) cluster: &'a Cluster,
    pub(crate) services: &'a [(String, Service)],
    /// By which of the document's ways; none: the recommended one.
    pub(crate) via: Option<Via>,
    /// When the plan was first made: names with a moment in them have this one.
    pub(crate) made_at: Timestamp,
    /// Outside the window, and for versions that were rolled back.
    pub(crate) reason: Option<&'a str>,
}

/// The document's two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Via {
    /// Step 4 and rollback by helm, which the document recommends
    Helm,
    /// Step 4 and rollback by kubectl
    Kubectl,
}

impl Request<'_> {
    /// The image of a service at a version, as the environment's registry has it.
    pub(crate) fn image(&self, service: &Service, version: &str) -> String {
        format!("{}:{version}", image_in(&self.environment.registry, &service.image))
    }

    /// Where the chart finds the images; none: where it says itself.
    pub(crate) fn repository(&self) -> Option<String> {
        let (_, first) = self.services.first()?;
        let (repository, _) = first.image.rsplit_once('/')?;
        let registry = &self.environment.registry;
        (!registry.is_empty()).then(|| image_in(registry, repository))
    }

    /// It by its name, as it stands behind `runbook deploy` in a line that goes the same way.
    pub(crate) fn the_same_way(&self) -> String {
        let via = if self.via == Some(Via::Kubectl) { " --via kubectl" } else { "" };
        format!("{}{via}", self.name)
    }

    /// The names of the services, which are also those of their Deployments and containers.
    pub(crate) fn service_names(&self) -> Vec<String> {
        self.services.iter().map(|(name, _)| name.clone()).collect()
    }
}
