//! What is, before anything is planned. Nothing here changes anything.

pub(crate) mod content;
pub(crate) mod deployed;
mod release;
pub(crate) mod schema;
pub(crate) mod source;

use crate::{
    failure::Failure,
    plan::{CHART, Pinned},
    programs::{
        helm::is_pending,
        registry::{self, Published},
    },
    request::{Request, Via},
};
use futures_util::future::try_join_all;
use jiff::Timestamp;
use semver::Version;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Looks at everything that a change to this environment depends on; `version` is the one whose files are compared with
/// the database; none: only what is applied counts.
pub(crate) async fn observe(
    folder: &Path,
    request: &Request<'_>,
    version: Option<&Version>,
) -> Result<Observed, Failure> {
    let commit = match version {
        Some(version) => source::commit(folder, version).await?,
        None => None,
    };
    let schema = async {
        match (version, commit.as_deref()) {
            (Some(_), None) => Ok(None),
            (Some(_), Some(commit)) => schema::observe(folder, request.environment, commit).await,
            (None, _) => schema::observe_without_files(request.environment).await,
        }
    };
    // A way back is made of what the cluster remembers, and reads no file.
    let parts = version.map_or_else(Vec::new, |_| parts(request));
    let (helm, deployed, schema, content, images) = tokio::join!(
        release::observe(request.cluster),
        deployed::observe(request.cluster, request.services),
        schema,
        content::observe(folder, parts),
        images(request, version),
    );
    let (schema, unseen) = match (schema, version) {
        (Ok(schema), _) => (schema, None),
        // What is broken may be the very thing that is to be rolled back from.
        (Err(failure), None) => (None, Some(failure.what)),
        (Err(failure), Some(_)) => return Err(failure),
    };
    let (helm, deployed, content, images) = (helm?, deployed?, content?, images?);
    Ok(Observed { commit, helm, deployed, schema, unseen, images, content, ..Observed::default() })
}

/// What the registry has of a version that is to be deployed: without it a database is migrated for pods that never start.
async fn images(
    request: &Request<'_>,
    version: Option<&Version>,
) -> Result<Option<BTreeMap<String, Option<Published>>>, Failure> {
    let Some(version) = version.filter(|_| !request.environment.registry.is_empty()) else { return Ok(None) };
    let version = version.to_string();
    let asked = request.services.iter().map(async |(_, service)| {
        let image = request.image(service, &version);
        let published = registry::image(&image).await.map_err(|why| {
            Failure::refused(format!("whether {image} is there cannot be told"))
                .because(why)
                .cured_by(format!("docker manifest inspect {image}"))
        })?;
        Ok::<_, Failure>((image, published))
    });
    Ok(Some(try_join_all(asked).await?.into_iter().collect()))
}

/// The files and folders that a deployment is made of, one way or the other.
fn parts(request: &Request<'_>) -> Vec<PathBuf> {
    let environment = request.environment;
    match request.via.unwrap_or(Via::Helm) {
        Via::Helm => std::iter::once(CHART.into()).chain(environment.values.iter().cloned()).collect(),
        Via::Kubectl => environment.manifests.iter().cloned().collect(),
    }
}

/// Everything that a plan is made from besides the request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    /// The commit of the wanted version, in full.
    pub(crate) commit: Option<String>,
    pub(crate) helm: Helm,
    /// By service; a missing one is not deployed yet.
    pub(crate) deployed: BTreeMap<String, Deployed>,
    /// None: the runbook does not reach the database.
    pub(crate) schema: Option<Schema>,
    /// Why the schema could not be looked at, where that stops nothing.
    pub(crate) unseen: Option<String>,
    /// What this tool has seen to work: helm's revisions whose verification was passed, oldest first.
    pub(crate) verified: Vec<u32>,
    /// The wanted version's images as their registry has them; one that it does not have is none. None: no registry is
    /// named, or no version is wanted.
    pub(crate) images: Option<BTreeMap<String, Option<Published>>>,
    /// Versions that were rolled back, with why.
    pub(crate) blocked: BTreeMap<String, String>,
    /// SHA-256 of the files and folders that a deployment is made of.
    pub(crate) content: BTreeMap<PathBuf, String>,
}

impl Observed {
    /// One of them, as it is now.
    pub(crate) fn pinned(&self, path: &Path) -> Result<Pinned, Failure> {
        let sha256 = self.content.get(path).cloned();
        let sha256 = sha256.ok_or_else(|| Failure::refused(format!("{} was not looked at", path.display())))?;
        Ok(Pinned { path: path.to_owned(), sha256 })
    }
}

/// helm, and the release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Helm {
    /// 3 or 4; 0: there is none.
    pub(crate) major: u64,
    /// Oldest first; empty: no such release.
    pub(crate) revisions: Vec<Revision>,
}

/// One revision of the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revision {
    pub(crate) number: u32,
    /// As helm says it: `deployed`, `superseded`, `pending-upgrade`, …
    pub(crate) status: String,
    /// The tag in its values.
    pub(crate) version: String,
    /// The newest migration that its images need; none: it does not say.
    pub(crate) schema_needs: Option<String>,
    /// When helm last wrote it.
    pub(crate) updated: Timestamp,
}

/// A service as it is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deployed {
    /// With its tag.
    pub(crate) image: String,
    /// Of the Deployment.
    pub(crate) revision: u64,
    /// What ran before, oldest first, as far as ReplicaSets are left.
    pub(crate) history: Vec<Past>,
    /// Fields that somebody took from helm, by who took them: `kubectl-set`, `kubectl-scale`, …
    pub(crate) taken_by: Vec<String>,
}

/// An older ReplicaSet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Past {
    pub(crate) revision: u64,
    pub(crate) image: String,
    pub(crate) schema_needs: Option<String>,
}

/// The database, compared with the files of the wanted version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Schema {
    /// In the order in which they run.
    pub(crate) pending: Vec<Migration>,
    /// Whose text is another one now.
    pub(crate) changed: Vec<String>,
    /// Names of all that are in the database.
    pub(crate) applied: Vec<String>,
    /// The oldest image that can run now, and the file that says so.
    pub(crate) oldest_app: Option<(Version, String)>,
    /// Services that were seen within two minutes, as `auth-service 1.2.3`.
    pub(crate) running: Vec<String>,
}

/// A file that is not applied yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Migration {
    pub(crate) name: String,
    /// The oldest image that can run after it.
    pub(crate) oldest_app: Option<Version>,
    /// Whether there is a `.down.sql`.
    pub(crate) has_down: bool,
}

impl Deployed {
    /// The tag of its image.
    pub(crate) fn version(&self) -> &str {
        tag(&self.image)
    }
}

/// What stands behind the last colon of an image's name; a registry's port has a slash behind it.
pub(crate) fn tag(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    name.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.contains('/')).unwrap_or("latest")
}

impl Helm {
    /// The one that counts.
    pub(crate) fn newest(&self) -> Option<&Revision> {
        self.revisions.last()
    }

    /// The number that the next one gets.
    pub(crate) fn next(&self) -> u32 {
        self.newest().map_or(1, |revision| revision.number + 1)
    }

    /// Of a number.
    pub(crate) fn revision(&self, number: u32) -> Option<&Revision> {
        self.revisions.iter().find(|revision| revision.number == number)
    }

    /// What serves: the newest that was rolled out, whatever came after it.
    pub(crate) fn serving(&self) -> Option<&Revision> {
        self.revisions.iter().rev().find(|revision| revision.status == "deployed")
    }
}

impl Revision {
    /// helm began it, and did not say how it ended.
    pub(crate) fn is_pending(&self) -> bool {
        is_pending(&self.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_not_the_port_of_a_registry() {
        for (image, expected) in [
            ("api-platform/auth-service:1.2.3", "1.2.3"),
            ("localhost:5000/api-platform/auth-service", "latest"),
            ("localhost:5000/api-platform/auth-service:1.2.3@sha256:00", "1.2.3"),
        ] {
            assert_eq!(tag(image), expected);
        }
    }
}
