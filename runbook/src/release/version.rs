//! Which version comes next.

use crate::programs::registry;
use runbook_file::RunbookFile;
use semver::Version;
use serde::Serialize;
use std::collections::BTreeSet;

/// The versions that are taken, by who says so.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) tags: BTreeSet<Version>,
    /// Of `Cargo.toml`.
    pub(crate) workspace: Option<Version>,
    pub(crate) published: BTreeSet<Version>,
}

/// Who says which version is the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    /// A tag of git.
    Tag,
    /// `Cargo.toml`.
    Workspace,
    /// A tag of an image.
    Registry,
}

impl Known {
    /// The newest of all; with several who say it, the first.
    pub(crate) fn current(&self) -> Option<(&Version, Source)> {
        let all = [
            (self.published.last(), Source::Registry),
            (self.workspace.as_ref(), Source::Workspace),
            (self.tags.last(), Source::Tag),
        ];
        all.into_iter().filter_map(|(version, source)| Some((version?, source))).max_by_key(|(version, _)| *version)
    }
}

/// The one after it, as the document counts.
pub(crate) fn next(current: &Version) -> Version {
    Version::new(current.major, current.minor, current.patch + 1)
}

/// `1.2.3`, or `v1.2.3` as git's tags have it. What has more to it, as `1.2.3-6f1d2c3b4a59`, is no release.
pub(crate) fn released(tag: &str) -> Option<Version> {
    let version: Version = tag.strip_prefix('v').unwrap_or(tag).parse().ok()?;
    (version.pre.is_empty() && version.build.is_empty()).then_some(version)
}

/// The name of an image in a registry, without its tag; an empty registry leaves it as it is.
pub(crate) fn image_in(registry: &str, image: &str) -> String {
    let registry = registry.trim_end_matches('/');
    if registry.is_empty() { image.to_owned() } else { format!("{registry}/{image}") }
}

/// The images of a version in every registry that is written down.
pub(crate) fn images(file: &RunbookFile, tag: &str) -> Vec<String> {
    repositories(file).map(|image| format!("{image}:{tag}")).collect()
}

fn repositories(file: &RunbookFile) -> impl Iterator<Item = String> {
    let registries: BTreeSet<_> =
        file.environments.iter().map(|(_, environment)| environment.registry.as_str()).collect();
    let registries = registries.into_iter().filter(|registry| !registry.is_empty());
    registries.flat_map(|registry| file.services.iter().map(move |(_, service)| image_in(registry, &service.image)))
}

/// The versions that the registries have, and a line for each that does not tell. A registry that nobody wrote down is
/// not asked: names as they are written may be everybody's.
pub(crate) async fn published(file: &RunbookFile) -> (BTreeSet<Version>, Vec<String>) {
    let asked = repositories(file).map(|image| async move { registry::tags(&image).await });
    let (mut versions, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for told in futures_util::future::join_all(asked).await {
        match told {
            Ok(tags) => versions.extend(tags.iter().filter_map(|tag| released(tag))),
            Err(why) => drop(silent.insert(why)),
        }
    }
    (versions, silent.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(all: &[&str]) -> BTreeSet<Version> {
        all.iter().filter_map(|tag| released(tag)).collect()
    }

    #[test]
    fn the_next_version_comes_after_every_one_that_anybody_knows() {
        let known = Known {
            tags: versions(&["v1.2.9", "v1.2.10", "v2.0.0-rc.1", "nightly"]),
            workspace: released("1.2.3"),
            published: versions(&["1.3.0", "latest", "9.9.9-6f1d2c3b4a59"]),
        };
        let (current, source) = known.current().unwrap();
        assert_eq!(
            (current.to_string(), source, next(current).to_string()),
            ("1.3.0".into(), Source::Registry, "1.3.1".into())
        );
        let tagged = Known { published: BTreeSet::new(), ..known };
        assert_eq!(tagged.current().unwrap().0, &Version::new(1, 2, 10), "by number, not by letters");
        assert_eq!(Known::default().current(), None);
    }

    #[test]
    fn a_tag_wins_over_a_workspace_that_says_the_same() {
        let known = Known { tags: versions(&["v1.0.0"]), workspace: released("1.0.0"), ..Known::default() };
        assert_eq!(known.current().unwrap().1, Source::Tag);
    }
}
