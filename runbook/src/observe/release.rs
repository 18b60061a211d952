//! helm's memory of the release.

use super::{Helm as Found, Revision, tag};
use crate::{
    failure::Failure,
    plan::RELEASE,
    programs::{
        Call, CallError,
        helm::{Helm, Listed},
    },
};
use futures_util::future::join_all;
use regex::Regex;
use runbook_file::Cluster;

/// helm's version and every revision that it remembers. No helm at all is none with major 0.
pub(super) async fn observe(cluster: &Cluster) -> Result<Found, Failure> {
    let major = match Call::new("helm").args(["version", "--short"]).run().await {
        Ok(said) => major(&said),
        Err(CallError::NotThere(_)) => return Ok(Found::default()),
        Err(error) => return Err(Failure::failed(format!("helm: {error}")).cured_by("helm version")),
    };
    let helm = Helm(cluster);
    let listed = helm.revisions(RELEASE).await.map_err(|error| {
        Failure::failed(format!("helm's history cannot be read: {error}")).cured_by(helm.history(RELEASE).literal())
    })?;
    let revisions = join_all(listed.into_iter().map(|listed| revision(cluster, listed))).await;
    Ok(Found { major, revisions: revisions.into_iter().collect::<Result<_, _>>()? })
}

/// What its manifests say: the images, and the migration that they need.
async fn revision(
    cluster: &Cluster,
    Listed { revision: number, status, updated, .. }: Listed,
) -> Result<Revision, Failure> {
    let call = Helm(cluster).manifest(RELEASE, number);
    let manifest = call.run().await.map_err(|error| {
        Failure::failed(format!("helm's revision {number} cannot be read: {error}")).cured_by(call.literal())
    })?;
    let version = first(&manifest, r#"(?m)^\s*image:\s*"?([^\s"]+)"#).map(|image| tag(&image).to_owned());
    let schema_needs = first(&manifest, r#"(?m)^\s*api-platform/schema-needs:\s*"?([^\s"]+)"#);
    Ok(Revision { number, status, version: version.unwrap_or_default(), schema_needs, updated })
}

fn first(text: &str, pattern: &str) -> Option<String> {
    let found = Regex::new(pattern).ok()?.captures(text)?;
    Some(found.get(1)?.as_str().to_owned())
}

fn major(said: &str) -> u64 {
    let digits: String = said.trim().trim_start_matches('v').chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_helm_prints() {
        assert_eq!([major("v3.17.2+gcc0bbbd\n"), major("v4.1.4"), major("")], [3, 4, 0]);
    }
}
